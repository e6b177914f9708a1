// Code for codes without data, as apps write it.
import {
  type Call, type CallArguments, type CallResult, type Client, type ErrorCode, type ErrorDetails, type Options,
  type PayloadIssue, type Validate, ZocketError, createClient, isZocketError,
} from "./zocket.js";

declare const client: Client;

export class AppError extends ZocketError {
  constructor(message: string, details?: Partial<ErrorDetails>) {
    super("APP", message, details);
  }
}
export interface Logged extends ZocketError {
  readonly at: number;
}
export interface Closing extends ZocketError<"LOT_CLOSED" | "GONE"> {
  readonly lot: number;
}

// Generic code.
export const code = <Declared extends string>(error: ZocketError<Declared>): ErrorCode<Declared> => error.code;
export const widened = <Declared extends string>(error: ZocketError<Declared>): ZocketError => error;
export const isRefused = <Declared extends string>({ code }: ZocketError<Declared>): boolean => code === "FORBIDDEN";
export const message = <Declared extends string>({ error }: CallResult<unknown, Declared>): string =>
  error ? error.message + error.issues.length : "";
export async function attempt<Input, Output, Declared extends string>(
  call: Call<Input, Output, Declared>,
  ...args: CallArguments<Input>
): Promise<Output | ErrorCode<Declared>> {
  const { ok, data, error } = await call.safe(...args);
  return ok ? data : error.code;
}
attempt(client.lot.leave).then((outcome) => outcome === "LOT_CLOSED");
attempt(client.lot.watch).then((outcome: ErrorCode | void) => outcome);

// Errors in variables.
const left = await client.lot.leave.safe();
const texts: Partial<Record<ErrorCode<"LOT_CLOSED">, string>> = { LOT_CLOSED: "closed" };
if (!left.ok) console.log(texts[left.error.code]);
let last: ZocketError<"LOT_CLOSED"> | null = null;
if (!left.ok) last = left.error;
export const wider: ZocketError<"LOT_CLOSED" | "GONE"> | null = last;
export const plain: ZocketError | null = wider;
try {
  await client.lot.leave();
} catch (error) {
  if (isZocketError<"LOT_CLOSED">(client.lot.leave, error)) console.log(error.code satisfies ErrorCode<"LOT_CLOSED">);
}

// Validators that know no refusals.
const validate = (route: string, direction: "input" | "output" | "event", payload: unknown): readonly PayloadIssue[] | undefined =>
  payload === direction ? [{ path: [], code: route, message: "" }] : undefined;
export const named: Validate = validate;
export const inline: Validate = (route, direction) => (route === "lot.leave" && direction === "output" ? [] : undefined);
export const options: Options = { headers: {}, validate };
createClient("/ws", { validate: undefined });
createClient("/ws", { validate: (route, _, payload) => (payload ? [{ path: [], code: route, message: "" }] : undefined) });
// @ts-expect-error
createClient("/ws", { validate: (route: number) => (route ? [] : undefined) });
