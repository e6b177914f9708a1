// The data of refusals, narrowed by their code.
import {
  type Call, type CallArguments, type CallResult, type Client, type ErrorCode, type ErrorWith, type Outbid, type Refused,
  type Validate, ZocketError, isZocketError,
} from "./zocket.js";

declare const client: Client;
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function take<T>(_: T): void {}

// With `safe`.
const { ok, data, error } = await client.lot.bid.safe({ cents: 1 });
if (ok) take<number>(data.cents);
else if (error.code === "OUTBID") take<Outbid>(error.data);
else {
  take<undefined>(error.data);
  take<Same<typeof error.code, ErrorCode<"LOT_CLOSED">>>(true);
}
if (error?.code === "OUTBID") take<number>(error.data.least);
const result = await client.lot.bid.safe({ cents: 1 });
if (!result.ok && result.error.code === "OUTBID") take<string>(result.error.data.by.name);
if (!result.ok && result.error.data) take<"OUTBID">(result.error.code);
if (!result.ok) take<Outbid | undefined>(result.error.data);
// @ts-expect-error
if (!result.ok) take<Outbid>(result.error.data);
// @ts-expect-error
if (!result.ok && result.error.code === "LOT_CLOSED") take<Outbid>(result.error.data);
const only = await client.lot.outbid.safe();
if (!only.ok && only.error.code === "OUTBID") take<Outbid>(only.error.data);
if (!only.ok && only.error.code === "FORBIDDEN") take<undefined>(only.error.data);

// With try and catch.
try {
  await client.lot.bid({ cents: 1 });
} catch (error) {
  if (isZocketError(client.lot.bid, error) && error.code === "OUTBID") take<Outbid>(error.data);
  if (isZocketError(client.lot.bid, error)) {
    switch (error.code) {
      case "OUTBID":
        take<number>(error.data.least);
        break;
      case "LOT_CLOSED":
        take<undefined>(error.data);
        break;
      // @ts-expect-error
      case "OTHER":
    }
  }
  if (isZocketError(client.lot.leave, error)) take<undefined>(error.data);
  // @ts-expect-error
  if (isZocketError(client.lot.leave, error) && error.code === "OUTBID") take(error.data);
  if (isZocketError(error)) take<Same<typeof error.data, unknown>>(true);
  if (error instanceof ZocketError) take<Same<typeof error.data, unknown>>(true);
}

// In generic code.
function attempt<Input, Output, Declared extends string | Refused>(
  call: Call<Input, Output, Declared>,
  ...args: CallArguments<Input>
): Promise<CallResult<Output, Declared>> {
  return call.safe(...args);
}
const attempted = await attempt(client.lot.bid, { cents: 1 });
if (!attempted.ok && attempted.error.code === "OUTBID") take<number>(attempted.error.data.least);
declare const either: typeof client.lot.bid | typeof client.lot.outbid;
declare const outcome: Awaited<ReturnType<typeof either.safe>>;
if (!outcome.ok && outcome.error.code === "OUTBID") take<Outbid>(outcome.error.data);

// The types themselves.
type Declared = "LOT_CLOSED" | Refused<"OUTBID", Outbid> | Refused<"TOO_MANY", number>;
take<Same<ErrorCode<Declared>, ErrorCode<"LOT_CLOSED" | "OUTBID" | "TOO_MANY">>>(true);
take<Same<Extract<ZocketError<Declared>, { code: "TOO_MANY" }>, ErrorWith<"TOO_MANY", number>>>(true);
take<Same<ZocketError, ErrorWith<string, unknown>>>(true);
take<ZocketError>(null! as ZocketError<Declared>);
take<ZocketError<Declared>>(null! as ZocketError<Refused<"OUTBID", Outbid>>);
// @ts-expect-error
take<ZocketError<Declared>>(null! as ZocketError<Refused<"OUTBID", number>>);
// @ts-expect-error
take<ZocketError<Declared>>(null! as ZocketError<"OUTBID">);
take<ZocketError>(new ZocketError("OUTBID", "too low", { data: { least: 1 } }));

// A validator that checks them.
export const validate: Validate = (route, direction, payload, code) =>
  direction === "refusal" && code === "OUTBID" && typeof payload !== "object"
    ? [{ path: [], code: "type", message: `${route}: expected an object` }]
    : undefined;
