import { useState } from "react";
import { fieldProblem, problem } from "../errors";
import type { InputOf } from "../zocket";
import { useCall, useClient } from "../zocket-react";
import { Field } from "./Field";
import { Icon } from "./Icon";
import { submitOnEnter } from "./submitOnEnter";

/** Form for announcements, for admins. The server validates the text. */
export function AnnounceForm() {
  const { announce } = useClient().admin;
  const { call, pending, error, reset } = useCall(announce);
  const [text, setText] = useState("");

  const submit = async () => {
    if (pending) return;
    const { ok } = await call({ text: text.trim() });
    if (ok) setText("");
  };

  return (
    <form className="announce" noValidate onSubmit={(event) => { event.preventDefault(); void submit(); }}>
      <Field
        label={<><Icon name="horn" />Announce to everyone</>}
        problem={fieldProblem<InputOf<typeof announce>>(error, "text") ?? problem(error)}
      >
        {(props) => (
          <textarea
            {...props} data-testid="announce-input" rows={2} value={text} placeholder="Write an announcement"
            enterKeyHint="send" onKeyDown={submitOnEnter}
            onChange={(event) => { setText(event.target.value); reset(); }}
          />
        )}
      </Field>
      <button className="primary" data-testid="announce-send" aria-busy={pending}>Announce</button>
    </form>
  );
}
