// The data of refusals in React.
import { useCall, useClient } from "./zocket-react.js";
import type { Outbid } from "./zocket.js";

function take<T>(_: T): void {}

export function Bid() {
  const { call, error, data } = useCall(useClient().lot.bid);
  const bid = async (): Promise<void> => {
    const outcome = await call({ cents: 1 });
    if (!outcome.ok && outcome.error.code === "OUTBID") take<Outbid>(outcome.error.data);
    // @ts-expect-error
    if (!outcome.ok && outcome.error.code === "LOT_CLOSED") take<Outbid>(outcome.error.data);
  };
  take<number | undefined>(data?.cents);
  take<Outbid | undefined>(error?.data);
  // @ts-expect-error
  take<number | undefined>(error?.data.least);
  return <button onClick={bid}>{error?.code === "OUTBID" ? `at least ${error.data.least}` : error?.message}</button>;
}

export function Leave() {
  const { call, error } = useCall(useClient().lot.leave);
  take<undefined>(error?.data);
  // @ts-expect-error
  take<boolean>(error?.code === "OUTBID");
  return <button onClick={() => void call()}>{error?.code}</button>;
}
