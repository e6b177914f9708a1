import { useEffect, useRef } from "react";
import { shownRooms } from "../chat/state";
import { useChat } from "../chat/useChat";
import { connectProblem } from "../errors";
import { writeSession } from "../session";
import type { Session } from "../session";
import { Announcements } from "./Announcements";
import { Problem } from "./Field";
import { People } from "./People";
import { Rooms } from "./Rooms";
import { RoomView } from "./RoomView";
import { TopBar } from "./TopBar";
import { useShownConnection } from "./useShownConnection";

interface ChatProps {
  readonly session: Session;
  readonly onLeave: () => void;
}

export function Chat({ session, onLeave }: ChatProps) {
  const chat = useChat(session);
  const { status, lastError } = useShownConnection();
  const { headers } = session;
  const { me, active, rooms: all, announcements } = chat.state;
  const rooms = shownRooms(all);
  const room = rooms.find(({ id }) => id === active);
  const unread = rooms.reduce((sum, each) => sum + each.unread, 0);
  const panels = { rooms: useRef<HTMLElement>(null), people: useRef<HTMLElement>(null) };

  const names = JSON.stringify(rooms.map(({ id }) => id));
  useEffect(() => {
    writeSession({ headers, rooms: JSON.parse(names) as string[], active, isEntered: true });
  }, [headers, names, active]);

  return (
    <>
      <title>{`${unread > 0 ? `(${unread}) ` : ""}${active ? `${active} · ` : ""}Zocket chat`}</title>
      <TopBar headers={headers} unread={unread} onLeave={onLeave} />
      {me === undefined ? (
        <main className="nowhere">
          <strong>{status === "closed" ? "Not admitted" : "Connecting…"}</strong>
          {lastError && <Problem>{connectProblem(lastError)}</Problem>}
          <button className="primary" type="button" onClick={onLeave}>Back</button>
        </main>
      ) : (
        <div className="chat">
          <Rooms chat={chat} panel={panels.rooms} />
          {room ? <RoomView key={room.id} chat={chat} room={room} me={me.name} /> : (
            <main className="main">
              <Announcements announcements={announcements} onDismiss={(key) => chat.dispatch({ type: "dismissed", key })} />
              <div className="nowhere"><strong>You are not in a room</strong>Join a room by its name to start chatting.</div>
            </main>
          )}
          <People room={room} me={me.clientId} isStale={room?.phase !== "joined" || status !== "open"} panel={panels.people} />
        </div>
      )}
    </>
  );
}
