// React hooks for the client: React 18 and newer.
import {
  createContext,
  createElement,
  useCallback,
  useContext,
  useEffect,
  useInsertionEffect,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import type { ReactElement, ReactNode } from "react";
import { createClient, ZocketError } from "./zocket";
import type { Call, CallArguments, CallResult, Client, EventSource, Listener, Options, Status } from "./zocket";

const ClientContext = createContext<Client | undefined>(undefined);

/** Either a client, which stays yours to close, or what to make one of. */
export type ZocketProviderProps = { readonly children?: ReactNode } & (
  | { readonly client: Client; readonly url?: never; readonly options?: never }
  | { readonly client?: never; readonly url: string; readonly options: Options }
);

/**
 * Gives its children a client.
 *
 * `<ZocketProvider url="/ws" options={{ headers }}>` makes one, which connects when the provider is mounted and is closed
 * when it is unmounted. Another `url` mounts the children anew, with a client of their own. Of new `options` the headers
 * count from the next attempt to connect on; the others are those of the first.
 */
export function ZocketProvider(props: ZocketProviderProps): ReactElement {
  return props.client
    ? createElement(ClientContext.Provider, { value: props.client }, props.children)
    : createElement(OwnClient, { key: props.url, url: props.url, options: props.options, children: props.children });
}

// A server renders no effects, and React 18 warns of this one there.
const useClientLayoutEffect = typeof document === "undefined" ? useEffect : useLayoutEffect;

function OwnClient(props: { readonly url: string; readonly options: Options; readonly children?: ReactNode }): ReactElement {
  const options = useLatest(props.options);
  const [client] = useState(() =>
    createClient(props.url, {
      ...props.options,
      headers: () => {
        const { headers } = options.current;
        return typeof headers === "function" ? headers() : headers;
      },
      // A render may be thrown away, and must leave nothing behind.
      autoConnect: false,
    } as Options),
  );
  const isMounted = useRef(false);
  const isBegun = useRef(false);
  // A layout effect, so that the client is there when the children's effects call it.
  useClientLayoutEffect(() => {
    isMounted.current = true;
    // React may unmount and mount again with the state kept: StrictMode at once, <Activity> later.
    if (!isBegun.current || client.status === "closed") client.reconnect();
    isBegun.current = true;
    return () => {
      isMounted.current = false;
      // StrictMode mounts again before this runs: what the children called meanwhile is not cut off.
      queueMicrotask(() => isMounted.current || client.close());
    };
  }, [client]);
  return createElement(ClientContext.Provider, { value: client }, props.children);
}

/** The client of the provider around. */
export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error("useClient needs a <ZocketProvider> around it");
  return client;
}

/** Calls the handler with each event while mounted: always that of the last render, without subscribing anew. */
export function useEvent<Payload>(source: EventSource<Payload>, handler: Listener<Payload>): void {
  const latest = useLatest(handler);
  useEffect(() => source((payload) => latest.current(payload)), [source, latest]);
}

export interface Connection {
  readonly status: Status;
  readonly lastError: ZocketError | undefined;
  readonly clientId: string | undefined;
  /** While the client waits before its next attempt to connect: when that is due, by `Date.now()`. */
  readonly retryAt: number | undefined;
}

/** How the connection is, kept up to date. */
export function useConnection(): Connection {
  const client = useClient();
  const subscribe = useCallback(
    (changed: () => void) => {
      const offs = [client.onStatus(changed), client.onError(changed), client.onRetry(changed)];
      return () => offs.forEach((off) => off());
    },
    [client],
  );
  // One by one: each is the same until it changes, which an object of them all would not be.
  return {
    status: useSyncExternalStore(subscribe, () => client.status, (): Status => "connecting"),
    lastError: useSyncExternalStore(subscribe, () => client.lastError, () => undefined),
    clientId: useSyncExternalStore(subscribe, () => client.clientId, () => undefined),
    retryAt: useSyncExternalStore(subscribe, () => client.retryAt, () => undefined),
  };
}

export interface CallState<Input, Output, Declared extends string> {
  /**
   * Makes the call, as {@link Call.safe} does: a failure is a value, so that an event handler need not catch it. Keeps its
   * identity.
   */
  readonly call: (...args: CallArguments<Input>) => Promise<CallResult<Output, Declared>>;
  /** Whether the last call is still to be answered. */
  readonly pending: boolean;
  /** Why the last call failed. */
  readonly error: ZocketError<Declared> | undefined;
  /** What the last call that succeeded was answered; kept while the next is pending. */
  readonly data: Output | undefined;
  /** Forgets error and data, and what is pending. Keeps its identity. */
  readonly reset: () => void;
}

/**
 * A call's state for a component: of several calls the last one counts. What is still to be answered when the component
 * is unmounted is not called off; hand over a `signal` for that.
 */
export function useCall<Input, Output, Declared extends string>(
  procedure: Call<Input, Output, Declared>,
): CallState<Input, Output, Declared> {
  type State = Pick<CallState<Input, Output, Declared>, "pending" | "error" | "data">;
  const [state, setState] = useState<State>(IDLE);
  const turn = useRef(0);

  const reset = useCallback(() => {
    turn.current++;
    setState(IDLE);
  }, []);

  const call = useCallback(
    (...args: CallArguments<Input>) => {
      const mine = ++turn.current;
      const settle = (next: (old: State) => State): void => {
        if (mine === turn.current) setState(next);
      };
      setState(({ data }) => ({ pending: true, error: undefined, data }));
      const result = procedure.safe(...args);
      result.then(
        ({ ok, data, error }) => settle((old) => ({ pending: false, error, data: ok ? data : old.data })),
        // Called off by its signal.
        () => settle((old) => ({ ...old, pending: false })),
      );
      return result;
    },
    [procedure],
  );
  return { ...state, call, reset };
}

const IDLE = { pending: false, error: undefined, data: undefined };

/** A reference to what the last committed render had. */
function useLatest<Value>(value: Value): { readonly current: Value } {
  const latest = useRef(value);
  // Before any other effect, and not while rendering: a render may be thrown away.
  useInsertionEffect(() => {
    latest.current = value;
  });
  return latest;
}
