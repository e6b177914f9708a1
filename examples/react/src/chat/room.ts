import type { Person, Said } from "../zocket";
import type { Coming, Line, Room, RoomAction } from "./state";

const KEPT_LINES = 500;

/** Returns a room's state after an action. */
export function roomAfter(room: Room, action: RoomAction): Room {
  switch (action.type) {
    case "joined": {
      const { problem: _, ...rest } = room;
      const text = room.wasJoined ? "You are back. Messages sent while you were away are not shown." : "You joined the room";
      const people = room.meanwhile.reduce(peopleAfter, action.present.who);
      const joined: Room = { ...rest, phase: "joined", wasJoined: true, people, meanwhile: [] };
      return withLine(joined, { kind: "note", key: action.key, text });
    }
    case "refused":
      return { ...room, phase: "refused", problem: action.error };
    case "came":
    case "left": {
      const { person, key, isMe } = action;
      const coming = { person, isHere: action.type === "came" };
      if (isMe) return room;
      if (room.phase !== "joined") return { ...room, meanwhile: [...room.meanwhile, coming] };
      const isKnown = room.people.some(({ clientId }) => clientId === person.clientId);
      const next = { ...room, people: peopleAfter(room.people, coming), typing: without(room.typing, person.clientId) };
      if (isKnown === coming.isHere) return next;
      return withLine(next, { kind: "note", key, text: `${person.name} ${coming.isHere ? "joined" : "left"}` });
    }
    case "said":
      return heard(room, action.said, action.me, action.isRead);
    case "typing": {
      const others = without(room.typing, action.clientId);
      return { ...room, typing: action.isTyping ? [...others, action.clientId] : others };
    }
    case "posting": {
      const { draftError: _, ...rest } = room;
      const { key, text } = action;
      return { ...rest, draft: "", unsent: [...room.unsent, { key, text, isSeen: false }] };
    }
    case "posted":
      // If a namesake sent the same text, the answer's id tells the own line.
      return {
        ...withoutUnsent(room, action.key),
        lines: room.lines.map((line) => (line.key === action.id ? { ...line, isOwn: true } : line)),
      };
    case "notPosted": {
      const unsent = room.unsent.find(({ key }) => key === action.key);
      if (!unsent || unsent.isSeen) return withoutUnsent(room, action.key);
      // The text was refused: put it back into the field for editing, unless the user has typed a new one.
      if (action.error.issues.length > 0 && room.draft === "") {
        return { ...withoutUnsent(room, action.key), draft: unsent.text, draftError: action.error };
      }
      const failed = { ...unsent, error: action.error };
      return { ...room, unsent: room.unsent.map((other) => (other === unsent ? failed : other)) };
    }
    case "discarded":
      return withoutUnsent(room, action.key);
    case "drafted": {
      const { draftError: _, ...rest } = room;
      return { ...rest, draft: action.draft };
    }
  }
}

function heard(room: Room, said: Said, me: string | undefined, isRead: boolean): Room {
  const own = said.from === me ? room.unsent.find(({ text, isSeen }) => !isSeen && text === said.text) : undefined;
  const next = own
    ? { ...room, unsent: room.unsent.map((other) => (other === own ? { ...own, isSeen: true } : other)) }
    : { ...room, unread: isRead ? 0 : room.unread + 1 };
  return withLine(next, { kind: "said", key: said.id, said, isOwn: own !== undefined });
}

const withLine = (room: Room, line: Line): Room => ({ ...room, lines: [...room.lines, line].slice(-KEPT_LINES) });

const withoutUnsent = (room: Room, key: string): Room => ({ ...room, unsent: room.unsent.filter((other) => other.key !== key) });

const without = <T>(list: readonly T[], item: T): readonly T[] => list.filter((other) => other !== item);

function peopleAfter(people: readonly Person[], { person, isHere }: Coming): readonly Person[] {
  const others = people.filter(({ clientId }) => clientId !== person.clientId);
  return isHere ? [...others, person] : others;
}
