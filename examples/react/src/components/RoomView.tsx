import type { Room } from "../chat/state";
import type { Chat } from "../chat/useChat";
import { joinProblem, problem } from "../errors";
import { useCall, useClient } from "../zocket-react";
import { Announcements } from "./Announcements";
import { Composer } from "./Composer";
import { Problem } from "./Field";
import { Icon } from "./Icon";
import { Messages } from "./Messages";
import { TypingLine } from "./TypingLine";

interface RoomViewProps {
  readonly chat: Chat;
  readonly room: Room;
  readonly me: string;
}

export function RoomView({ chat, room, me }: RoomViewProps) {
  const { dispatch } = chat;
  const client = useClient();
  const leaving = useCall(client.chat.leave);

  const leave = async () => {
    const { status } = client;
    if (room.phase === "joined" && status !== "closed") {
      // Sent with the next connection, if there is none, and then nothing to wait for.
      const left = leaving.call({ roomId: room.id }, status === "open" ? undefined : { timeout: Infinity });
      const { error } = status === "open" ? await left : {};
      if (error && error.code !== "DISCONNECTED") return;
    }
    dispatch({ type: "dropped", roomId: room.id });
  };

  return (
    <main className="main">
      <header className="room-head">
        <h1 className="clip"><span className="hash" aria-hidden="true">#</span>{room.id}</h1>
        <button className="quiet only-narrow" type="button" popoverTarget="people" aria-label={`People in this room: ${room.people.length}`}>
          <Icon name="people" /><span data-testid="members-count">{room.people.length}</span>
        </button>
        <button className="quiet" type="button" data-testid="room-leave" aria-busy={leaving.pending} onClick={() => void leave()}>
          <Icon name="close" /><span className="wide">Leave</span><span className="unseen"> this room</span>
        </button>
      </header>
      {(room.problem ?? leaving.error) && (
        <div className="room-problem">
          <Problem>{joinProblem(room.problem) ?? problem(leaving.error)}</Problem>
          {room.problem && <button className="link" type="button" onClick={() => void chat.enter(room.id)}>Try again</button>}
        </div>
      )}
      <Announcements announcements={chat.state.announcements} onDismiss={(key) => dispatch({ type: "dismissed", key })} />
      <Messages
        room={room} me={me}
        onDiscard={({ key }) => dispatch({ type: "discarded", roomId: room.id, key })}
        onRetry={({ key, text }) => {
          dispatch({ type: "discarded", roomId: room.id, key });
          void chat.post(room.id, text);
        }}
      />
      <TypingLine room={room} />
      <Composer chat={chat} room={room} />
    </main>
  );
}
