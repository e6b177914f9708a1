// The chat's state. The types of messages come from the server: see ../zocket.ts.
import type { JoinError } from "../errors";
import type { Announcement, ClientId, Person, Present, Said, WhoAmI, ZocketError } from "../zocket";

/** A line of a room's log. */
export type Line =
  | { readonly kind: "said"; readonly key: string; readonly said: Said; readonly isOwn: boolean }
  | { readonly kind: "note"; readonly key: string; readonly text: string };

/** A message that the server has not confirmed. */
export interface Unsent {
  readonly key: string;
  readonly text: string;
  /** True if its event has arrived, and only the answer is missing. */
  readonly isSeen: boolean;
  readonly error?: ZocketError;
}

export interface Room {
  readonly id: string;
  /** `asked`: first join pending, not shown. `away`: not joined in this session yet. */
  readonly phase: "asked" | "away" | "joined" | "refused";
  readonly wasJoined: boolean;
  /** Error of the last attempt to join again. */
  readonly problem?: JoinError;
  readonly people: readonly Person[];
  /** Joins and leaves of others while the own join is pending. */
  readonly meanwhile: readonly Coming[];
  readonly lines: readonly Line[];
  readonly unsent: readonly Unsent[];
  readonly typing: readonly ClientId[];
  readonly unread: number;
  readonly draft: string;
  /** Error of the server about the draft. */
  readonly draftError?: ZocketError;
}

export interface Coming {
  readonly person: Person;
  readonly isHere: boolean;
}

export interface ChatState {
  readonly me: WhoAmI | undefined;
  readonly rooms: readonly Room[];
  readonly active: string | undefined;
  readonly announcements: readonly (Announcement & { readonly key: string })[];
}

/** An action in one room. */
export type RoomAction =
  | { readonly type: "joined"; readonly present: Present; readonly key: string }
  | { readonly type: "refused"; readonly error: JoinError }
  | { readonly type: "came" | "left"; readonly person: Person; readonly key: string; readonly isMe: boolean }
  | { readonly type: "said"; readonly said: Said; readonly me: string | undefined; readonly isRead: boolean }
  | { readonly type: "typing"; readonly clientId: ClientId; readonly isTyping: boolean }
  | { readonly type: "posting"; readonly key: string; readonly text: string }
  | { readonly type: "posted"; readonly key: string; readonly id: string }
  | { readonly type: "notPosted"; readonly key: string; readonly error: ZocketError }
  | { readonly type: "discarded"; readonly key: string }
  | { readonly type: "drafted"; readonly draft: string };

export type Action =
  | (RoomAction & { readonly roomId: string })
  | { readonly type: "welcomed"; readonly me: WhoAmI }
  | { readonly type: "disconnected" }
  | { readonly type: "asked" | "opened" | "dropped"; readonly roomId: string }
  | { readonly type: "read" }
  | { readonly type: "announced"; readonly announcement: Announcement; readonly key: string }
  | { readonly type: "dismissed"; readonly key: string };

let lastKey = 0;
/** Returns a key for a line without an id from the server. */
export const newKey = (): string => `k${++lastKey}`;

export const newRoom = (id: string): Room => ({
  id, phase: "away", wasJoined: false, people: [], meanwhile: [], lines: [], unsent: [], typing: [], unread: 0, draft: "",
});

export const shownRooms = (rooms: readonly Room[]): readonly Room[] => rooms.filter(({ phase }) => phase !== "asked");
