import type { Room } from "../chat/state";

export function TypingLine({ room }: { readonly room: Room }) {
  const [first, second, ...more] = room.typing.map((id) => room.people.find(({ clientId }) => clientId === id)?.name ?? "Someone");
  if (first === undefined) return <div className="typing-line" />;
  const text = more.length > 0 ? `${more.length + 2} people are typing…` : second ? `${first} and ${second} are typing…` : `${first} is typing…`;
  return (
    <div className="typing-line" data-testid="typing">
      <span className="dots" aria-hidden="true"><i /><i /><i /></span>
      <span className="clip">{text}</span>
    </div>
  );
}
