/** Whether the client has a connection: `reconnecting` once there was one, `closed` when it will not try again. */
export type Status = "connecting" | "open" | "reconnecting" | "closed";
/** Called with each value. What it throws is reported and disturbs no other listener. */
export type Listener<Value> = (value: Value) => void;
/** Ends a subscription. Calling it again does nothing. */
export type Unsubscribe = () => void;
/** Codes of refusals that any procedure may answer with. */
export type ProtocolCode = "PARSE_ERROR" | "NOT_FOUND" | "BAD_REQUEST" | "UNAUTHORIZED" | "FORBIDDEN" | "CONFLICT" | "PRECONDITION_FAILED" | "TIMEOUT" | "OVERLOADED" | "TOO_MANY_REQUESTS" | "PAYLOAD_TOO_LARGE" | "INTERNAL_SERVER_ERROR";
/**
 * Codes that the client itself gives beside `TIMEOUT`, `OVERLOADED`, `BAD_REQUEST` and `PAYLOAD_TOO_LARGE`.
 *
 * - `DISCONNECTED`: the connection ended, or could not be made; `sent` says whether the server may have got the call.
 * - `CLOSED`: the call was made when the client was closed.
 * - `INVALID_PAYLOAD`: `Options.validate` objects to what the server sent. Told to `onError` alone.
 */
export type ClientCode = "DISCONNECTED" | "CLOSED" | "INVALID_PAYLOAD";
/** Every code that a procedure with these codes of its own can fail with. */
export type ErrorCode<Declared extends string = never> = ProtocolCode | ClientCode | Declared;
/** One thing that is wrong with a payload: `path` leads to it from the payload's root. */
export interface PayloadIssue {
    readonly path: readonly (string | number)[];
    readonly code: string;
    readonly message: string;
    readonly params?: Readonly<Record<string, unknown>>;
}
/** What a {@link ZocketError} may tell beside its code and its message. */
export interface ErrorDetails {
    /** What the server, or `Options.validate`, found wrong with the payload. */
    readonly issues: readonly PayloadIssue[];
    /** The route that was called. */
    readonly route: string | undefined;
    /** When to try again, with `TOO_MANY_REQUESTS`. */
    readonly retryAfterMs: number | undefined;
    /**
     * For calls that the connection's end, the time limit or a full queue ended: `"no"` if the server can't have got them
     * (repeating is safe), `"unknown"` if it may have run them.
     */
    readonly sent: "no" | "unknown" | undefined;
    /** The error behind this one. */
    readonly cause: unknown;
}
/** Why a call failed: `code` for programs, `message` for people, `issues` for the fields of a form. */
export interface ZocketError<Declared extends string = string> extends Error, ErrorDetails {
    readonly name: "ZocketError";
    readonly code: ErrorCode<Declared>;
    readonly cause: unknown;
}
/** Makes errors, as tests may want to; and `error instanceof ZocketError`. */
export interface ZocketErrorConstructor {
    new (code: string, message: string, details?: Partial<ErrorDetails>): ZocketError;
    readonly prototype: ZocketError;
}
/** Of one call. */
export interface CallOptions {
    /** Milliseconds, counted from the call on; `Infinity` for none. The default is `Options.timeout`. */
    readonly timeout?: number | undefined;
    /** Rejects the call with the signal's reason. A call that is not sent yet is not sent then. */
    readonly signal?: AbortSignalLike | undefined;
}
/** What the client uses of an `AbortSignal`. */
export interface AbortSignalLike {
    readonly aborted: boolean;
    readonly reason?: unknown;
    addEventListener(type: "abort", listener: () => void): void;
    removeEventListener(type: "abort", listener: () => void): void;
}
/** A call's outcome as a value: see {@link Call.safe}. */
export type CallResult<Output, Declared extends string = never> = {
    readonly ok: true;
    readonly data: Output;
    readonly error: undefined;
} | {
    readonly ok: false;
    readonly data: undefined;
    readonly error: ZocketError<Declared>;
};
/** Arguments of a call: those of a route without input are the options alone. */
export type CallArguments<Input> = [Input] extends [void] ? [options?: CallOptions] : [input: Input, options?: CallOptions];
/**
 * Calls a route. The promise is fulfilled with its answer (or when the server has taken the message, where there is
 * none), and rejected with a {@link ZocketError}, or with the reason of an aborted signal.
 */
export interface Call<Input, Output, Declared extends string = never> {
    (...args: CallArguments<Input>): Promise<Output>;
    /** The same, but a failure is a value whose `error.code` is typed. Rejected only by an aborted signal. */
    safe(...args: CallArguments<Input>): Promise<CallResult<Output, Declared>>;
    /** The route's dotted name. */
    readonly route: string;
}
/**
 * Subscribes to an event of the server: `const off = client.on.chat.message((message) => …)`, or
 * `for await (const message of client.on.chat.message)`.
 *
 * Such a loop hears what arrives from its start on, and ends when the client is closed. Up to 1,024 events wait for it;
 * with the next it is cut off: it still gets those, and is then thrown `OVERLOADED`.
 */
export interface EventSource<Payload> {
    (listener: Listener<Payload>): Unsubscribe;
    [Symbol.asyncIterator](): AsyncIterator<Payload, undefined>;
    /** The event's dotted name. */
    readonly route: string;
}
/** What a route takes: `InputOf<typeof client.chat.post>`. */
export type InputOf<Procedure> = Procedure extends Call<infer Input, infer _Output, infer _Code> ? Input : never;
/** What a route answers. */
export type OutputOf<Procedure> = Procedure extends (...args: never[]) => Promise<infer Output> ? Output : never;
/** What an event carries. */
export type PayloadOf<Source> = Source extends EventSource<infer Payload> ? Payload : never;
/** How a connection ended. `final` says that the client does not come back by itself. */
export interface Closed {
    readonly code: number;
    readonly reason: string;
    readonly final: boolean;
}
/** What every app's client has. */
export interface ClientBase {
    readonly status: Status;
    /** Why there is no connection; `undefined` while there is one. */
    readonly lastError: ZocketError | undefined;
    /** The id that the server gave the present connection, or the last one. */
    readonly clientId: string | undefined;
    /** While the client waits before its next attempt to connect: when that is due, by `Date.now()`. */
    readonly retryAt: number | undefined;
    /**
     * Called at each connection, before the calls that waited for it are sent: what such a listener calls, say to enter
     * its rooms again, comes before them.
     */
    onOpen(listener: Listener<{
        readonly clientId: string;
    }>): Unsubscribe;
    /**
     * Called when a connection ended. A listener may `close()` the client, or `reconnect()` one that is final: so one says
     * after which of the app's own codes, 4000 to 4999, to come back.
     */
    onClose(listener: Listener<Closed>): Unsubscribe;
    /** Called when a connection can't be made, and when something fails that no call hears of. */
    onError(listener: Listener<ZocketError>): Unsubscribe;
    onStatus(listener: Listener<Status>): Unsubscribe;
    /** Called with `retryAt` whenever it changes. */
    onRetry(listener: Listener<number | undefined>): Unsubscribe;
    /** Ends the connection and does not come back. What is pending is rejected with `DISCONNECTED`. */
    close(): void;
    /** Connects at once: instead of waiting, in place of the present connection, or though the client was closed. */
    reconnect(): void;
}
/** What the app declares to be told when a client connects, or a function for it, asked at each attempt. */
export type HeadersSource = Headers | (() => Headers | PromiseLike<Headers>);
/** Where the headers can be left out, so can the options. */
type HeadersOption = {} extends Headers ? {
    readonly headers?: HeadersSource | undefined;
} : {
    readonly headers: HeadersSource;
};
/** Times are in milliseconds. */
export type Options = OptionsBase & HeadersOption;
/** The options, but the headers. */
export interface OptionsBase {
    /** How long a call may take, unless it says otherwise: 10,000. */
    readonly timeout?: number | undefined;
    /** How long it may take to connect, the headers and the server's welcome included: 10,000. */
    readonly connectTimeout?: number | undefined;
    /**
     * Before attempt n, counted from 0 since a connection last proved itself, the client waits a random time between
     * `floor` (500) and `floor * 2 ** (n + 1)`, at most `cap` (30,000).
     */
    readonly backoff?: {
        readonly floor?: number | undefined;
        readonly cap?: number | undefined;
    } | undefined;
    /** How many calls may wait for a connection: 1,000. Those beyond are rejected with `OVERLOADED`. */
    readonly maxQueued?: number | undefined;
    /** `false` begins with no connection, and without touching the surroundings, until `reconnect()`. Calls wait. */
    readonly autoConnect?: boolean | undefined;
    /** Development: warn of a server with another contract, and `validate`. Told by `NODE_ENV` or a local host name. */
    readonly dev?: boolean | undefined;
    /**
     * In development, looks at payloads. An input with issues is not sent (`BAD_REQUEST`); outputs and events are
     * delivered all the same, and told to `onError` (`INVALID_PAYLOAD`).
     */
    readonly validate?: Validate | undefined;
    /** For surroundings that have no `WebSocket` of their own: Node 20 with the package `ws`. */
    readonly WebSocket?: WebSocketConstructor | undefined;
    /** For tests. */
    readonly clock?: Clock | undefined;
}
export type Validate = (route: string, direction: "input" | "output" | "event", payload: unknown) => readonly PayloadIssue[] | undefined;
export interface Clock {
    setTimeout(run: () => void, ms: number): unknown;
    clearTimeout(timer: unknown): void;
    /** From 0 up to but not including 1. */
    random(): number;
}
export interface SocketEvent {
    readonly type: string;
    readonly data?: unknown;
    readonly code?: number;
    readonly reason?: string;
    readonly message?: string;
}
/** What the client uses of a `WebSocket`. */
export interface WebSocketLike {
    readonly readyState: number;
    addEventListener(type: "message" | "close" | "error", listener: (event: SocketEvent) => void): void;
    send(data: string): void;
    close(code?: number, reason?: string): void;
}
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;
export declare const ZocketError: ZocketErrorConstructor;
/**
 * Whether a call failed for a reason that Zocket knows: `isZocketError(error)`, or, with the codes that this procedure
 * declares, `isZocketError(client.chat.post, error)`, which is false for errors of other calls.
 */
export declare function isZocketError(error: unknown): error is ZocketError;
export declare function isZocketError<Declared extends string>(call: {
    safe(...args: never[]): Promise<CallResult<unknown, Declared>>;
    readonly route: string;
}, error: unknown): error is ZocketError<Declared>;
/**
 * A client of the app, which connects at once and comes back by itself until it is closed.
 *
 * The URL is one of WebSocket or HTTP; pages may leave out the origin: `createClient("/ws", { headers: { … } })`.
 */
export declare function createClient(url: string | {
    readonly href: string;
}, ...[given]: {} extends Headers ? [options?: Options] : [options: Options]): Client;
export {};
