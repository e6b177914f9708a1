import { useCallback, useEffect, useReducer, useRef } from "react";
import type { ClientId, IsTyping, Joined, Left, Person, Present, Said, ZocketError } from "./zocket/zocket";
import { useClient, useConnection, useEvent } from "./zocket/zocket-react";

/** A room that this page is in, as far as it has seen it. */
export interface RoomState {
  readonly id: string;
  readonly people: readonly Person[];
  readonly typing: readonly ClientId[];
  readonly lines: readonly Line[];
}

/** What someone said, or what happened. */
export type Line = { readonly key: string; readonly said: Said } | { readonly key: string; readonly note: string };

const TYPING_EXPIRES = 6_000;
const KEPT_LINES = 500;
let notes = 0;
const note = (text: string): Line => ({ key: `note-${++notes}`, note: text });

type Change =
  | { readonly type: "entered"; readonly roomId: string; readonly present: Present }
  | { readonly type: "gone"; readonly roomId: string }
  | { readonly type: "joined"; readonly event: Joined }
  | { readonly type: "left"; readonly event: Left }
  | { readonly type: "said"; readonly event: Said }
  | { readonly type: "typing"; readonly event: IsTyping };

function changeRooms(rooms: readonly RoomState[], change: Change): readonly RoomState[] {
  const update = (roomId: string, next: (room: RoomState) => RoomState) =>
    rooms.map((room) => (room.id === roomId ? next(room) : room));
  const add = (room: RoomState, line: Line) => [...room.lines, line].slice(-KEPT_LINES);
  switch (change.type) {
    case "entered": {
      const { roomId, present } = change;
      const fresh = { id: roomId, people: present.who, typing: [], lines: [] };
      if (!rooms.some(({ id }) => id === roomId)) return [...rooms, fresh];
      return update(roomId, (room) => ({ ...fresh, lines: add(room, note("You are back. What was said in between is not shown.")) }));
    }
    case "gone":
      return rooms.filter(({ id }) => id !== change.roomId);
    case "joined": {
      const { roomId, clientId, name } = change.event;
      return update(roomId, (room) => {
        if (room.people.some((person) => person.clientId === clientId)) return room;
        return { ...room, people: [...room.people, { clientId, name }], lines: add(room, note(`${name} joined`)) };
      });
    }
    case "left": {
      const { roomId, clientId, name } = change.event;
      return update(roomId, (room) => ({
        ...room,
        people: room.people.filter((person) => person.clientId !== clientId),
        typing: room.typing.filter((id) => id !== clientId),
        lines: add(room, note(`${name} left`)),
      }));
    }
    case "said": {
      const said = change.event;
      return update(said.roomId, (room) => ({ ...room, lines: add(room, { key: said.id, said }) }));
    }
    case "typing": {
      const { roomId, clientId, isTyping } = change.event;
      return update(roomId, (room) => {
        const others = room.typing.filter((id) => id !== clientId);
        return { ...room, typing: isTyping ? [...others, clientId] : others };
      });
    }
  }
}

/** The rooms that this page is in, entered again with each connection. */
export function useRooms(first: string) {
  const client = useClient();
  const { clientId } = useConnection();
  const [rooms, change] = useReducer(changeRooms, []);
  /** What it wants to be in, whether or not there is a connection. */
  const wanted = useRef(new Set([first]));

  /** Enters a room. Returns why it can't. */
  const add = useCallback(async (roomId: string): Promise<ZocketError | undefined> => {
    const { ok, data, error } = await client.chat.join.safe({ roomId });
    if (!ok) return error;
    wanted.current.add(roomId);
    change({ type: "entered", roomId, present: data });
    return undefined;
  }, [client]);

  const remove = useCallback((roomId: string) => {
    wanted.current.delete(roomId);
    change({ type: "gone", roomId });
    void client.chat.leave.safe({ roomId });
  }, [client]);

  // Another connection is another client to the server.
  useEffect(() => {
    if (clientId) for (const roomId of wanted.current) void add(roomId);
  }, [clientId, add]);

  useEvent(client.on.chat.joined, (event) => event.clientId === client.clientId || change({ type: "joined", event }));
  useEvent(client.on.chat.left, (event) => event.clientId === client.clientId || change({ type: "left", event }));
  useEvent(client.on.chat.message, (event) => change({ type: "said", event }));
  const expiry = useRef(new Map<string, ReturnType<typeof setTimeout>>());
  useEvent(client.on.chat.typing, (event) => {
    if (event.clientId === client.clientId) return;
    const key = `${event.roomId} ${event.clientId}`;
    clearTimeout(expiry.current.get(key));
    const forget = () => change({ type: "typing", event: { ...event, isTyping: false } });
    if (event.isTyping) expiry.current.set(key, setTimeout(forget, TYPING_EXPIRES));
    change({ type: "typing", event });
  });
  return { rooms, add, remove };
}
