// Error messages for the user.
import type { Refused, RoomFull, ZocketError } from "./zocket";

/** Error of a call that joins a room. */
export type JoinError = ZocketError<Refused<"ROOM_FULL", RoomFull>>;

/** Returns the issues of one field. `Input` is the input type of the call. */
export function fieldProblem<Input>(error: ZocketError | undefined, field: keyof Input & string): string | undefined {
  const issues = error?.issues.filter(({ path }) => path[0] === field) ?? [];
  return issues.length > 0 ? sentence(issues.map(({ message }) => message).join("; ")) : undefined;
}

/** Returns the message of an error without regard to fields. */
export function problem(error: ZocketError | undefined): string | undefined {
  if (!error) return undefined;
  if (error.issues.length > 0) {
    return sentence(error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": ")).join("; "));
  }
  if (error.sent === "unknown") return "The server did not answer, so this may or may not have worked";
  if (error.sent === "no") return "Not connected, so nothing was sent";
  if (error.retryAfterMs) return `${sentence(error.message)}; try again in ${Math.ceil(error.retryAfterMs / 1000)} s`;
  return sentence(error.message);
}

/** Returns the reason why a room was not joined. */
export function joinProblem(error: JoinError | undefined): string | undefined {
  return error?.code === "ROOM_FULL" ? `This room is full: it holds ${error.data.most} people` : problem(error);
}

/** Returns the reason why there is no connection: the server's, if it refused one. */
export function connectProblem(error: ZocketError): string | undefined {
  return error.code === "DISCONNECTED" ? `${problem(error)}. Check that the server is running` : problem(error);
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
