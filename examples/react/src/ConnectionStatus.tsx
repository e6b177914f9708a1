import { useEffect, useReducer } from "react";
import type { Status } from "./zocket/zocket";
import { useClient, useConnection } from "./zocket/zocket-react";

const SHOWN: Record<Status, string> = { connecting: "connecting", open: "online", reconnecting: "reconnecting", closed: "offline" };

export function ConnectionStatus() {
  const client = useClient();
  const { status, retryAt } = useConnection();
  // The seconds go by without an event.
  const [, tick] = useReducer((ticks: number) => ticks + 1, 0);
  useEffect(() => {
    if (status !== "reconnecting") return;
    const ticking = setInterval(tick, 250);
    return () => clearInterval(ticking);
  }, [status]);
  const seconds = retryAt === undefined ? 0 : Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
  return (
    <span className="status" role="status" data-testid="status" data-state={SHOWN[status]}>
      {SHOWN[status]}{seconds > 0 && ` in ${seconds} s`}
      {seconds > 0 && <button className="quiet" onClick={() => client.reconnect()}>now</button>}
    </span>
  );
}
