import { roomAfter } from "./room";
import { newRoom, shownRooms } from "./state";
import type { Action, ChatState, Room } from "./state";

const SHOWN_ANNOUNCEMENTS = 3;

/** Returns the chat's state after an action. */
export function chatAfter(state: ChatState, action: Action): ChatState {
  switch (action.type) {
    case "welcomed":
      return { ...state, me: action.me };
    case "disconnected":
      return { ...state, rooms: state.rooms.map(disconnected) };
    case "asked":
      if (state.rooms.some(({ id }) => id === action.roomId)) return state;
      return { ...state, rooms: [...state.rooms, { ...newRoom(action.roomId), phase: "asked" }] };
    case "opened":
      return chatAfter({ ...state, active: action.roomId }, { type: "read" });
    case "dropped": {
      const position = state.rooms.findIndex(({ id }) => id === action.roomId);
      const rooms = state.rooms.filter(({ id }) => id !== action.roomId);
      const shown = shownRooms(rooms);
      const next = shown[Math.min(position, shown.length - 1)]?.id;
      return { ...state, rooms, active: state.active === action.roomId ? next : state.active };
    }
    case "read":
      return inRoom(state, state.active, (room) => (room.unread === 0 ? room : { ...room, unread: 0 }));
    case "announced": {
      const announcement = { ...action.announcement, key: action.key };
      return { ...state, announcements: [...state.announcements, announcement].slice(-SHOWN_ANNOUNCEMENTS) };
    }
    case "dismissed":
      return { ...state, announcements: state.announcements.filter(({ key }) => key !== action.key) };
    default:
      return inRoom(state, action.roomId, (room) => roomAfter(room, action));
  }
}

function disconnected(room: Room): Room {
  return { ...room, phase: room.phase === "joined" ? "away" : room.phase, meanwhile: [], typing: [] };
}

function inRoom(state: ChatState, id: string | undefined, change: (room: Room) => Room): ChatState {
  return { ...state, rooms: state.rooms.map((room) => (room.id === id ? change(room) : room)) };
}
