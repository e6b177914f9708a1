import { useEffect, useState } from "react";
import type { Status as ClientStatus } from "../zocket";
import { useClient } from "../zocket-react";
import { useShownConnection } from "./useShownConnection";

/** Words for the user. */
const WORDS = {
  connecting: "connecting", open: "online", reconnecting: "reconnecting", closed: "offline",
} as const satisfies Record<ClientStatus, string>;

/** Shows the state of the connection, and the time until the next attempt. */
export function Status() {
  const client = useClient();
  const { status, retryAt } = useShownConnection();
  const seconds = useSecondsUntil(retryAt);
  const state = WORDS[status];

  return (
    <div className="status" data-testid="status" data-state={state}>
      <span className="dot" aria-hidden="true" />
      <span className="status-text" aria-hidden="true">
        {seconds !== undefined ? `${state} in ${seconds} s` : state === "online" || state === "offline" ? state : `${state}…`}
      </span>
      {/* Without the countdown, which screen readers would announce every second. */}
      <span className="unseen" role="status">{state}</span>
      {(retryAt !== undefined || status === "closed") && (
        <button className="link" type="button" data-testid="reconnect-now" aria-label="Reconnect now" onClick={() => client.reconnect()}>
          Retry now
        </button>
      )}
    </div>
  );
}

function useSecondsUntil(moment: number | undefined): number | undefined {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (moment === undefined) return;
    const tick = () => setNow(Date.now());
    tick();
    const timer = setInterval(tick, 250);
    return () => clearInterval(timer);
  }, [moment]);
  return moment === undefined ? undefined : Math.max(1, Math.ceil((moment - now) / 1000));
}
