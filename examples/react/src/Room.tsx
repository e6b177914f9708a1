import { useEffect, useRef } from "react";
import { Composer } from "./Composer";
import type { RoomState } from "./rooms";

interface Props {
  readonly room: RoomState;
  readonly me: string;
  readonly onLeave: () => void;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export function Room({ room, me, onLeave }: Props) {
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => void end.current?.scrollIntoView({ block: "end" }), [room.lines]);
  const typing = room.people.filter(({ clientId }) => room.typing.includes(clientId)).map(({ name }) => name);

  return (
    <section className="conversation" aria-label={room.id}>
      <div className="room-head">
        <h1 className="clip"><span className="muted"># </span>{room.id}</h1>
        <button className="quiet" data-testid="room-leave" onClick={onLeave}>Leave</button>
      </div>
      <ul className="people" aria-label="Who is here">
        {room.people.map(({ clientId, name }) => <li key={clientId} data-testid="who-item">{name}</li>)}
      </ul>
      <div className="lines" role="log">
        {room.lines.map((line) =>
          "note" in line ? (
            <p key={line.key} className="note">{line.note}</p>
          ) : (
            <article key={line.key} className={line.said.from === me ? "message own" : "message"} data-testid="message">
              <span className="from">{line.said.from}</span>
              <span className="text" data-testid="message-text">{line.said.text}</span>
              <time dateTime={new Date(line.said.at).toISOString()}>{clock.format(line.said.at)}</time>
            </article>
          ),
        )}
        <div ref={end} />
      </div>
      <p className="typing" aria-live="polite">
        {typing.length > 0 && <span data-testid="typing">{typing.join(", ")} {typing.length > 1 ? "are" : "is"} typing…</span>}
      </p>
      <Composer roomId={room.id} />
    </section>
  );
}
