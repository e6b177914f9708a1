import type { Room } from "../chat/state";
import type { ClientId } from "../zocket";

export function TypingLine({ room }: { readonly room: Room }) {
  const nameOf = (id: ClientId) => room.people.find(({ clientId }) => clientId === id)?.name ?? "Someone";
  const names = room.typing.map(nameOf);
  if (names.length === 0) return <div className="typing-line" />;
  const text = names.length > 2
    ? `${names.length} people are typing…`
    : `${names.join(" and ")} ${names.length === 1 ? "is" : "are"} typing…`;
  return (
    <div className="typing-line" data-testid="typing">
      <span className="dots" aria-hidden="true"><i /><i /><i /></span>
      <span className="clip">{text}</span>
    </div>
  );
}
