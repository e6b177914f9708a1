import { useEffect, useRef, useState } from "react";
import { ErrorText } from "./ErrorText";
import { useCall, useClient } from "./zocket/zocket-react";

const SAYS_SO_AGAIN = 3_000;
const IDLE = 2_000;

export function Composer({ roomId }: { readonly roomId: string }) {
  const client = useClient();
  const post = useCall(client.chat.post);
  const [text, setText] = useState("");
  const noteTyping = useTyping(roomId);

  const send = async () => {
    if (!text.trim()) return;
    noteTyping(false);
    const { ok } = await post.call({ roomId, text });
    if (ok) setText("");
  };

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <ErrorText error={post.error} field="text" id="composer-error" />
      <div className="line">
        <input
          data-testid="message-input"
          aria-label={`Message ${roomId}`}
          aria-invalid={post.error !== undefined}
          aria-describedby="composer-error"
          placeholder={`Message ${roomId}`}
          autoComplete="off"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            noteTyping(event.target.value.trim() !== "");
            if (post.error) post.reset();
          }}
        />
        <button className="primary" data-testid="message-send" disabled={post.pending}>Send</button>
      </div>
    </form>
  );
}

/** Tells the room that someone types, and that they have stopped; not with every key. */
function useTyping(roomId: string): (isTyping: boolean) => void {
  const client = useClient();
  const saidAt = useRef(0);
  const idle = useRef<ReturnType<typeof setTimeout>>(undefined);
  const tell = (isTyping: boolean) => {
    clearTimeout(idle.current);
    if (isTyping) idle.current = setTimeout(() => tell(false), IDLE);
    if (isTyping ? Date.now() - saidAt.current < SAYS_SO_AGAIN : saidAt.current === 0) return;
    saidAt.current = isTyping ? Date.now() : 0;
    // Nobody misses it while there is no connection.
    if (client.status === "open") void client.chat.typing.safe({ roomId, isTyping });
  };
  useEffect(() => () => clearTimeout(idle.current), []);
  return tell;
}
