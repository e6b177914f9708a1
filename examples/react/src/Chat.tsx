import { useEffect, useRef, useState } from "react";
import { Announcements, Announce } from "./Announce";
import { ConnectionStatus } from "./ConnectionStatus";
import { JoinRoom } from "./JoinRoom";
import { Room } from "./Room";
import { useRooms } from "./rooms";
import type { Headers } from "./zocket/zocket";
import { useClient } from "./zocket/zocket-react";

interface Props {
  readonly me: Headers;
  readonly onLeave: (problem?: string) => void;
}

export function Chat({ me, onLeave }: Props) {
  const client = useClient();
  const wasOpen = useRef(false);
  // A browser does not say why a handshake failed. Who never got in can change what may have been refused.
  useEffect(() => {
    const offs = [
      client.onOpen(() => void (wasOpen.current = true)),
      client.onError(() => wasOpen.current || onLeave("No connection. Is the server running? It may have refused this name.")),
    ];
    return () => offs.forEach((off) => off());
  }, [client, onLeave]);

  const { rooms, add, remove } = useRooms("lobby");
  const [chosen, setChosen] = useState("lobby");
  const room = rooms.find(({ id }) => id === chosen) ?? rooms[0];

  return (
    <div className="chat">
      <header>
        <strong>Zocket chat</strong>
        <ConnectionStatus />
        <span className="clip">{me.name}</span>
        <button className="quiet" onClick={() => onLeave()}>Sign out</button>
      </header>
      <nav aria-label="Rooms">
        <h2>Rooms</h2>
        <ul>
          {rooms.map(({ id }) => (
            <li key={id}>
              <button className="room" data-testid="room-item" aria-current={id === room?.id} onClick={() => setChosen(id)}>
                <span className="muted"># </span>{id}
              </button>
            </li>
          ))}
        </ul>
        <JoinRoom onJoin={async (id) => {
          const error = await add(id);
          if (!error) setChosen(id);
          return error;
        }} />
        {me.role === "admin" && <Announce />}
      </nav>
      <main>
        <Announcements />
        {room ? <Room key={room.id} room={room} me={me.name} onLeave={() => remove(room.id)} /> : <p className="empty muted">You are in no room.</p>}
      </main>
    </div>
  );
}
