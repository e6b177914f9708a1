import { useEffect, useEffectEvent, useRef } from "react";
import { useClient } from "../zocket-react";
import { useTimers } from "./useTimers";

// Milliseconds of silence after which the user counts as not typing, and between repeated notices.
const IDLE = 2000;
const REPEAT = 3000;

/** Sends typing notices to the room: at the start, and at the end by `stop`, silence or unmount. */
export function useTyping(roomId: string) {
  const client = useClient();
  const timers = useTimers();
  const toldAt = useRef<number>(undefined);

  const tell = (isTyping: boolean) => {
    // A notice is obsolete by the time of the next connection, so it does not wait for one.
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
