import { useEffect, useEffectEvent, useRef } from "react";
import { useClient } from "../zocket-react";
import { useTimers } from "./useTimers";

// Milliseconds: the silence after which one no longer types, and how often it is said that one still does.
const IDLE = 2000;
const REPEAT = 3000;

/** Tells the room that one types, and that one ceased: by oneself, after a while, or when this is unmounted. */
export function useTyping(roomId: string) {
  const client = useClient();
  const timers = useTimers();
  const toldAt = useRef<number>(undefined);

  const tell = (isTyping: boolean) => {
    // Such a notice is not worth waiting for a connection.
    if (client.status === "open") void client.chat.typing.safe({ roomId, isTyping });
    toldAt.current = isTyping ? Date.now() : undefined;
  };
  const stop = () => {
    timers.stop("idle");
    if (toldAt.current !== undefined) tell(false);
  };
  const type = () => {
    if (toldAt.current === undefined || Date.now() - toldAt.current > REPEAT) tell(true);
    timers.start("idle", stop, IDLE);
  };

  const stopLast = useEffectEvent(stop);
  useEffect(() => () => stopLast(), []);
  return { type, stop };
}
