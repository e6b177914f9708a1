// The user and the rooms, stored per tab for a reload. A link can set them, too: `?name=Ann&room=lobby`.
import type { Headers } from "./zocket";

export interface Session {
  readonly headers: Headers;
  readonly rooms: readonly string[];
  readonly active: string | undefined;
  /** True if the chat is shown without the form. */
  readonly isEntered: boolean;
}

const KEY = "zocket-chat-react";

export function readSession(): Session {
  const kept = stored();
  const query = new URLSearchParams(location.search);
  const name = query.get("name") ?? kept.headers?.name ?? "";
  const isSame = name === kept.headers?.name;
  const asked = query.get("room");
  const rooms = isSame && kept.rooms ? kept.rooms : asked ? [] : ["lobby"];
  return {
    headers: { name, role: (query.get("role") ?? kept.headers?.role) === "admin" ? "admin" : "user" },
    rooms: asked ? [...new Set([...rooms, asked])] : rooms,
    active: asked ?? kept.active ?? rooms[0],
    isEntered: query.has("name") || (isSame && kept.isEntered === true),
  };
}

export function writeSession(session: Session): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(session));
  } catch {
    // A reload then starts with the form.
  }
}

/** Returns the stored session, if there is one. */
function stored(): Partial<Session> {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Partial<Session>;
  } catch {
    return {};
  }
}
