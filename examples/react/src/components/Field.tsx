import { useId } from "react";
import type { ReactNode } from "react";

interface ControlProps {
  readonly id: string;
  readonly className: string;
  readonly "aria-invalid": boolean;
  readonly "aria-describedby": string | undefined;
}

interface FieldProps {
  readonly label: ReactNode;
  /** Error message, shown below the control and linked to it for screen readers. */
  readonly problem?: string | undefined;
  readonly isLabelHidden?: boolean;
  readonly children: (props: ControlProps) => ReactNode;
}

/** A control with its label and its error message. */
export function Field({ label, problem, isLabelHidden = false, children }: FieldProps) {
  const id = useId();
  const problemId = `${id}-problem`;
  const control = children({
    id, className: "field", "aria-invalid": problem !== undefined, "aria-describedby": problem ? problemId : undefined,
  });
  return (
    <div className="labelled">
      <label htmlFor={id} className={isLabelHidden ? "unseen" : undefined}>{label}</label>
      {control}
      <Problem id={problemId}>{problem}</Problem>
    </div>
  );
}

export function Problem({ id, children }: { readonly id?: string; readonly children: string | undefined }) {
  return children === undefined ? null : <p className="error" id={id} role="alert" data-testid="error">{children}</p>;
}
