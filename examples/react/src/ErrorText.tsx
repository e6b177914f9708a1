import type { ZocketError } from "./zocket/zocket";

interface Props {
  readonly error: ZocketError | undefined;
  /** The member of the payload that this stands beside. */
  readonly field: string;
  readonly id?: string;
}

/** Why a call failed: the issues of one field, or else the whole of it. */
export function ErrorText({ error, field, id }: Props) {
  if (!error) return null;
  const issues = error.issues.filter(({ path }) => path[0] === field).map(({ message }) => message);
  return (
    <p className="error" role="alert" id={id} data-testid="error" data-code={error.code}>
      {issues.length > 0 ? issues.join("; ") : error.message}
    </p>
  );
}
