// What went wrong, for people.
import type { ZocketError } from "./zocket";

/** What the server objects to in one field of what was sent; `Input` is the call's. */
export function fieldProblem<Input>(error: ZocketError | undefined, field: keyof Input & string): string | undefined {
  const issues = error?.issues.filter(({ path }) => path[0] === field) ?? [];
  return issues.length > 0 ? sentence(issues.map(({ message }) => message).join("; ")) : undefined;
}

/** The rest: what is no issue of that field. */
export function problem(error: ZocketError | undefined): string | undefined {
  if (!error) return undefined;
  if (error.issues.length > 0) {
    return sentence(error.issues.map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": ")).join("; "));
  }
  if (error.sent === "unknown") return "No answer came: it may have arrived, or not";
  if (error.sent === "no") return "There is no connection: it was not sent";
  if (error.retryAfterMs) return `${sentence(error.message)}; try again in ${Math.ceil(error.retryAfterMs / 1000)} s`;
  return sentence(error.message);
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
