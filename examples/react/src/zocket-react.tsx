"use client";
// React hooks for the client: React 18 and newer.
import * as React from "react";
import type { ReactElement, ReactNode } from "react";
// With its extension, which all bundlers and runtimes resolve. TypeScript demands an option for that, unless it is ignored.
// @ts-ignore
import { createClient } from "./zocket.ts";
import type {
  Call, CallArguments, CallResult, Client, EventSource, Listener, Options, Refused, Status, ZocketError,
} from "./zocket.js";

// Not imported by name, since the React of server components lacks most of them, and the import must not fail there.
const {
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
} = React;

// Declared here, since React Native's projects compile without the types of the DOM.
declare const document: unknown;
declare const navigator: { readonly product?: string } | undefined;
declare function setTimeout(run: () => void, ms: number): unknown;
declare function clearTimeout(timer: unknown): void;

const ClientContext = createContext?.<Client | undefined>(undefined);

/** Either a client, which the app closes itself, or the arguments for a new one. */
export type ZocketProviderProps = { readonly children?: ReactNode } & (
  | { readonly client: Client; readonly url?: undefined; readonly options?: undefined }
  | { readonly client?: undefined; readonly url: string; readonly options: Options }
);

/**
 * Provides a client to its children.
 *
 * `<ZocketProvider url="/ws" options={{ headers }}>` creates one, which connects on mount and is closed on unmount.
 * Another `url` remounts the children with a new client. Changed headers apply from the next attempt to connect on.
 * Changes of other options have no effect.
 */
export function ZocketProvider(props: ZocketProviderProps): ReactElement {
  return props.client
    ? createElement(ClientContext.Provider, { value: props.client }, props.children)
    : createElement(OwnClient, { key: props.url, url: props.url, options: props.options, children: props.children });
}

// React 18 warns of layout effects on a server, which runs no effects at all. React Native has no document either.
const isServer =
  typeof document === "undefined" && (typeof navigator === "undefined" || navigator.product !== "ReactNative");
const useClientLayoutEffect = isServer ? useEffect : useLayoutEffect;

function OwnClient(props: { readonly url: string; readonly options: Options; readonly children?: ReactNode }): ReactElement {
  const options = useLatest(props.options);
  const [client] = useState(() => {
    // React may discard a render, so it must not open a connection.
    const own = { ...props.options, autoConnect: false };
    // Read at each attempt. Not a function, which would be asked once more for headers that the server refused.
    return createClient(props.url, Object.defineProperty(own, "headers", { get: () => options.current.headers }));
  });
  const isMounted = useRef(false);
  const isBegun = useRef(false);
  // A layout effect, so that the client is connecting before the children's effects use it.
  useClientLayoutEffect(() => {
    isMounted.current = true;
    // React may unmount and mount again with the same state: StrictMode at once, <Activity> later.
    if (!isBegun.current || client.status === "closed") client.reconnect();
    isBegun.current = true;
    return () => {
      isMounted.current = false;
      // StrictMode mounts again before this runs, so calls of the children are not cut off.
      void Promise.resolve().then(() => isMounted.current || client.close());
    };
  }, [client]);
  return createElement(ClientContext.Provider, { value: client }, props.children);
}

/** Returns the client of the nearest provider. */
export function useClient(): Client {
  const client = useContext(ClientContext);
  if (!client) throw new Error("expected a <ZocketProvider> around this component, found none");
  return client;
}

/** Calls the handler of the last render with each event while mounted. A new handler needs no new subscription. */
export function useEvent<Payload>(source: EventSource<Payload>, handler: Listener<Payload>): void {
  const latest = useLatest(handler);
  useEffect(() => source((payload) => latest.current(payload)), [source, latest]);
}

export interface Connection {
  readonly status: Status;
  /** Error of the last connection or attempt. After a refused handshake it has the server's code and message. */
  readonly lastError: ZocketError | undefined;
  readonly clientId: string | undefined;
  /** True if the current connection, or the last one, continued the session of the one before: nothing was missed. */
  readonly resumed: boolean;
  /** Time of the next attempt to connect, as of `Date.now()`, while the client waits for it. */
  readonly retryAt: number | undefined;
}

/** Options of {@link useConnection}. */
export interface ConnectionOptions {
  /**
   * Milliseconds that a break has to last before the hook returns it. Until then it returns `open`, without error and
   * next attempt. The default is 0. With 1000, people do not see the breaks that are over before they matter.
   */
  readonly delay?: number | undefined;
}

/** Returns the state of the connection, and renders again when it changes. */
export function useConnection({ delay = 0 }: ConnectionOptions = {}): Connection {
  const client = useClient();
  const subscribe = useCallback(
    (changed: () => void) => {
      const offs = [client.onStatus(changed), client.onError(changed), client.onRetry(changed)];
      return () => offs.forEach((off) => off());
    },
    [client],
  );
  // One store per value: each is identical until it changes, while a new object would not be.
  const now: Connection = {
    status: useSyncExternalStore(subscribe, () => client.status, (): Status => "connecting"),
    lastError: useSyncExternalStore(subscribe, () => client.lastError, () => undefined),
    clientId: useSyncExternalStore(subscribe, () => client.clientId, () => undefined),
    resumed: useSyncExternalStore(subscribe, () => client.resumed, () => false),
    retryAt: useSyncExternalStore(subscribe, () => client.retryAt, () => undefined),
  };
  const isBroken = now.status === "reconnecting";
  // A component that is mounted during a break does not know its beginning, and shows it.
  const [isShown, setShown] = useState(isBroken);
  useEffect(() => {
    if (!isBroken) return setShown(false);
    let timer: unknown;
    const wait = (): void => {
      // If the timer is late, the page was stopped. It waits again, since it is about to come back.
      const due = Date.now() + delay + 1000;
      timer = setTimeout(() => (Date.now() > due ? wait() : setShown(true)), delay);
    };
    wait();
    return () => clearTimeout(timer);
  }, [isBroken, delay]);
  return isBroken && !isShown && delay > 0 ? { ...now, status: "open", lastError: undefined, retryAt: undefined } : now;
}

export interface CallState<Input, Output, Declared extends string | Refused> {
  /**
   * Calls the route like {@link Call.safe}: a failure is a value, so event handlers need no `catch`. Its identity is
   * stable.
   */
  readonly call: (...args: CallArguments<Input>) => Promise<CallResult<Output, Declared>>;
  /** True until the last call is answered. */
  readonly pending: boolean;
  /** Error of the last call. */
  readonly error: ZocketError<Declared> | undefined;
  /** Answer of the last successful call. It is kept while the next one is pending. */
  readonly data: Output | undefined;
  /** Clears error, data and the pending call. Its identity is stable. */
  readonly reset: () => void;
}

/**
 * Returns a call with its state. The last of several calls determines the state. Unmounting does not abort a pending
 * call. Pass a `signal` for that.
 */
export function useCall<Input, Output, Declared extends string | Refused>(
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
        // Its signal aborted the call.
        () => settle((old) => ({ ...old, pending: false })),
      );
      return result;
    },
    [procedure],
  );
  return { ...state, call, reset };
}

const IDLE = { pending: false, error: undefined, data: undefined };

/** Returns a reference to the value of the last committed render. */
function useLatest<Value>(value: Value): { readonly current: Value } {
  const latest = useRef(value);
  // Set before all other effects, and not during a render, which React may discard.
  useInsertionEffect(() => {
    latest.current = value;
  });
  return latest;
}
