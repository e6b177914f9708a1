import { useEffect, useRef } from "react";
import type { Room } from "../chat/state";
import type { Chat } from "../chat/useChat";
import { useTyping } from "../chat/useTyping";
import { fieldProblem, problem } from "../errors";
import type { Client, InputOf } from "../zocket";
import { Field } from "./Field";
import { Icon } from "./Icon";
import { submitOnEnter } from "./submitOnEnter";

interface ComposerProps {
  readonly chat: Chat;
  readonly room: Room;
}

/** Input for messages. The server validates the text, and a refused text returns to the field. */
export function Composer({ chat, room }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const typing = useTyping(room.id);

  useEffect(() => field.current?.focus(), []);

  const change = (draft: string) => {
    chat.dispatch({ type: "drafted", roomId: room.id, draft });
    if (draft.trim() === "") typing.stop();
    else typing.type();
  };
  const submit = () => {
    const text = room.draft.trim();
    field.current?.focus();
    if (text === "") return;
    typing.stop();
    void chat.post(room.id, text);
  };

  const error = room.draftError;
  return (
    <form className="composer" noValidate onSubmit={(event) => { event.preventDefault(); submit(); }}>
      <Field
        label="Message" isLabelHidden
        problem={fieldProblem<InputOf<Client["chat"]["post"]>>(error, "text") ?? problem(error)}
      >
        {(props) => (
          <div className="composer-box">
            <textarea
              {...props} ref={field} className="growing" data-testid="message-input" rows={1} value={room.draft}
              placeholder={`Message ${room.id}`} autoComplete="off" enterKeyHint="send" onKeyDown={submitOnEnter}
              onChange={(event) => change(event.target.value)}
            />
            <button className="send" data-testid="send-button" aria-label="Send" data-idle={room.draft.trim() === ""}>
              <Icon name="send" />
            </button>
          </div>
        )}
      </Field>
    </form>
  );
}
