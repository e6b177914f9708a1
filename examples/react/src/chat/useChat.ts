import { useEffect, useEffectEvent, useReducer } from "react";
import type { Session } from "../session";
import { useClient, useEvent } from "../zocket-react";
import { chatAfter } from "./reducer";
import { newKey, newRoom } from "./state";
import type { ChatState } from "./state";
import { useTimers } from "./useTimers";

/** Lifetime of a typing notice, in milliseconds. */
const BELIEVED_FOR = 6000;

const begun = ({ rooms, active }: Session): ChatState => ({ me: undefined, rooms: rooms.map(newRoom), active, announcements: [] });

/** Returns the chat's state, which follows the server's events, and the user's actions. */
export function useChat(session: Session) {
  const client = useClient();
  const [state, dispatch] = useReducer(chatAfter, session, begun);
  const { me, active } = state;

  const enter = async (roomId: string) => {
    const { data: present, error } = await client.chat.join.safe({ roomId });
    if (present) dispatch({ type: "joined", roomId, present, key: newKey() });
    // The next connection joins again.
    else if (error.code !== "DISCONNECTED" && error.code !== "CLOSED") dispatch({ type: "refused", roomId, error });
  };

  // A new session is in no room. It joins before the waiting calls are sent, since those may concern these rooms.
  const enterAll = useEffectEvent(async () => {
    for (const { id, phase } of state.rooms) if (phase !== "asked") void enter(id);
    const { data: me } = await client.whoami.safe();
    if (me) dispatch({ type: "welcomed", me });
  });
  useEffect(() => {
    if (client.status === "open") void enterAll();
    return client.onOpen(({ resumed }) => {
      if (resumed) return;
      dispatch({ type: "disconnected" });
      void enterAll();
    });
  }, [client]);
  useEffect(() => client.onClose(({ final }) => final && dispatch({ type: "disconnected" })), [client]);

  useEvent(client.on.chat.joined, ({ roomId, ...person }) => {
    dispatch({ type: "came", roomId, person, key: newKey(), isMe: person.clientId === client.clientId });
  });
  useEvent(client.on.chat.left, ({ roomId, ...person }) => {
    dispatch({ type: "left", roomId, person, key: newKey(), isMe: person.clientId === client.clientId });
  });
  useEvent(client.on.chat.message, (said) => {
    const isRead = said.roomId === active && document.visibilityState === "visible";
    dispatch({ type: "said", roomId: said.roomId, said, me: me?.name, isRead });
  });
  // A client that disappears while typing never sends the end of it.
  const expiries = useTimers();
  useEvent(client.on.chat.typing, ({ roomId, clientId, isTyping }) => {
    if (clientId === client.clientId) return;
    dispatch({ type: "typing", roomId, clientId, isTyping });
    const expired = () => dispatch({ type: "typing", roomId, clientId, isTyping: false });
    if (isTyping) expiries.start(`${clientId} ${roomId}`, expired, BELIEVED_FOR);
  });
  useEvent(client.on.system.announcement, (announcement) => {
    dispatch({ type: "announced", announcement, key: newKey() });
  });

  useEffect(() => {
    const read = () => document.visibilityState === "visible" && dispatch({ type: "read" });
    document.addEventListener("visibilitychange", read);
    return () => document.removeEventListener("visibilitychange", read);
  }, []);

  const post = async (roomId: string, text: string) => {
    const key = newKey();
    dispatch({ type: "posting", roomId, key, text });
    const { data, error } = await client.chat.post.safe({ roomId, text });
    dispatch(data ? { type: "posted", roomId, key, id: data.id } : { type: "notPosted", roomId, key, error });
  };

  return { state, dispatch, enter, post };
}

export type Chat = ReturnType<typeof useChat>;
