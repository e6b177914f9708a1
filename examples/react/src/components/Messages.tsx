import { useEffect, useRef } from "react";
import type { Line, Room, Unsent } from "../chat/state";
import { problem } from "../errors";
import { Problem } from "./Field";
import { Message } from "./Message";

const GROUP_WITHIN = 5 * 60_000;

interface MessagesProps {
  readonly room: Room;
  readonly me: string;
  readonly onRetry: (unsent: Unsent) => void;
  readonly onDiscard: (unsent: Unsent) => void;
}

/** A room's log, followed by the unsent messages. */
export function Messages({ room, me, onRetry, onDiscard }: MessagesProps) {
  const scroll = useRef<HTMLDivElement>(null);
  const unsent = room.unsent.filter(({ isSeen }) => !isSeen);
  // The layout starts at the end (0), so the view stays there by itself.
  useEffect(() => { if (unsent.length > 0 && scroll.current) scroll.current.scrollTop = 0; }, [unsent.length]);

  return (
    <div className="scroll" ref={scroll} tabIndex={0} role="region" aria-label="Messages">
      <div className="log" role="log" aria-label={`Messages in ${room.id}`}>
        <p className="beginning"><strong>#{room.id}</strong>Messages here are not stored.</p>
        {room.lines.map((line, index) => line.kind === "note"
          ? <p key={line.key} className="note">{line.text}</p>
          : (
            <Message
              key={line.key} from={line.said.from} text={line.said.text} at={line.said.at} isOwn={line.isOwn}
              isNext={goesOn(room.lines[index - 1], line)}
            />
          ))}
        {unsent.map((each) => (
          <Message
            key={each.key} from={me} text={each.text} isOwn isNext={false}
            note={each.error ? "not sent" : "sending…"}
          >
            {each.error && (
              <div className="failure">
                <Problem>{problem(each.error)}</Problem>
                <button className="link" type="button" data-testid="message-retry" onClick={() => onRetry(each)}>Retry</button>
                <button className="link" type="button" data-testid="message-discard" onClick={() => onDiscard(each)}>Discard</button>
              </div>
            )}
          </Message>
        ))}
      </div>
    </div>
  );
}

function goesOn(before: Line | undefined, line: Line & { readonly kind: "said" }): boolean {
  return before?.kind === "said" && before.isOwn === line.isOwn && before.said.from === line.said.from
    && line.said.at - before.said.at < GROUP_WITHIN;
}
