/** State of the connection: `reconnecting` after a first connection was lost, `closed` when no attempt will follow. */
export type Status = "connecting" | "open" | "reconnecting" | "closed";
/** Called with each value. An exception is reported, and does not affect other listeners. */
export type Listener<Value> = (value: Value) => void;
/** Ends a subscription. Further calls have no effect. */
export type Unsubscribe = () => void;
/** Codes with which any procedure may refuse a call. */
export type ProtocolCode = "PARSE_ERROR" | "NOT_FOUND" | "BAD_REQUEST" | "UNAUTHORIZED" | "FORBIDDEN" | "CONFLICT" | "PRECONDITION_FAILED" | "TIMEOUT" | "OVERLOADED" | "TOO_MANY_REQUESTS" | "PAYLOAD_TOO_LARGE" | "INTERNAL_SERVER_ERROR";
/**
 * Codes of the client's own errors, beside `TIMEOUT`, `OVERLOADED`, `BAD_REQUEST` and `PAYLOAD_TOO_LARGE`.
 *
 * - `DISCONNECTED`: the connection ended or could not be opened. `sent` says if the server may have received the call.
 * - `CLOSED`: the call was made on a closed client.
 * - `INVALID_PAYLOAD`: `Options.validate` found issues in a payload from the server. Only `onError` receives it.
 */
export type ClientCode = "DISCONNECTED" | "CLOSED" | "INVALID_PAYLOAD";
/** All codes with which a call can fail: those of the protocol, of the client, and those that the procedure declares. */
export type ErrorCode<Declared extends string | Refused = never> = ProtocolCode | ClientCode | (Declared extends Refused<infer Code> ? Code : Declared);
/** One error in a payload. `path` leads from the payload's root to the value. */
export interface PayloadIssue {
    readonly path: readonly (string | number)[];
    readonly code: string;
    readonly message: string;
    readonly params?: Readonly<Record<string, unknown>> | undefined;
}
/** Details of a {@link ZocketError}, beside its code and message. */
export interface ErrorDetails {
    /** Issues that the server or `Options.validate` found in the payload. */
    readonly issues: readonly PayloadIssue[];
    /** The route that was called. */
    readonly route: string | undefined;
    /** Time to wait before the next call or attempt to connect, in milliseconds. Set for `TOO_MANY_REQUESTS`. */
    readonly retryAfterMs: number | undefined;
    /**
     * Set for calls that were ended by a lost connection, a timeout or a full queue: `"no"` if the server can't have
     * received the call (repeating it is safe), `"unknown"` if it may have run.
     */
    readonly sent: "no" | "unknown" | undefined;
    /** Data of the refusal, if the procedure declares some for the code. */
    readonly data: unknown;
    /** The error that caused this one. */
    readonly cause: unknown;
}
/** A declared code whose refusals carry data. */
export interface Refused<Code extends string = string, Data = unknown> {
    readonly code: Code;
    readonly data: Data;
}
/** Error with one of these codes, and data of this type. */
export interface ErrorWith<Code extends string, Data> extends Error, ErrorDetails {
    readonly name: "ZocketError";
    readonly code: Code;
    readonly data: Data;
    readonly cause: unknown;
}
/**
 * Error of a call: `code` for programs, `message` for people, `issues` for the fields of a form. The `code` determines the
 * type of `data`.
 */
export type ZocketError<Declared extends string | Refused = string> = ErrorWith<ErrorCode<Declared extends string ? Declared : never>, string extends Declared ? unknown : undefined> | (Declared extends Refused<infer Code, infer Data> ? ErrorWith<Code & ErrorCode<Declared>, Data> : never);
/** The error's class, for `error instanceof ZocketError`, and for tests that create errors. */
export interface ZocketErrorConstructor {
    new (code: string, message: string, details?: Partial<ErrorDetails>): ZocketError;
    readonly prototype: ZocketError;
}
/** Options of one call. */
export interface CallOptions {
    /** Milliseconds from the call, or `Infinity` for none. The default is `Options.timeout`. */
    readonly timeout?: number | undefined;
    /** Rejects the call with the signal's reason. A call that still waits for a connection is never sent. */
    readonly signal?: AbortSignalLike | undefined;
}
/** The members of `AbortSignal` that the client uses. */
export interface AbortSignalLike {
    readonly aborted: boolean;
    readonly reason?: unknown;
    addEventListener(type: "abort", listener: () => void): void;
    removeEventListener(type: "abort", listener: () => void): void;
}
/** Outcome of a call as a value: see {@link Call.safe}. */
export type CallResult<Output, Declared extends string | Refused = never> = {
    readonly ok: true;
    readonly data: Output;
    readonly error: undefined;
} | {
    readonly ok: false;
    readonly data: undefined;
    readonly error: ZocketError<Declared>;
};
/** Arguments of a call. A route without input only takes the options. */
export type CallArguments<Input> = [Input] extends [void] ? [options?: CallOptions] : [input: Input, options?: CallOptions];
/**
 * Calls a route. The promise resolves with its answer (with `undefined`, if the route answers nothing), and rejects with
 * a {@link ZocketError}, or with the reason of an aborted signal.
 *
 * A call that nobody awaits, and that the server refuses for good, is an unhandled rejection, which ends a Node process.
 * `safe` never is one. Nor are failures that pass by themselves, such as a lost connection or an overloaded server.
 */
export interface Call<Input, Output, Declared extends string | Refused = never> {
    (...args: CallArguments<Input>): Promise<Output>;
    /** Calls the route, and returns a failure as a value whose `error.code` is typed. Only an aborted signal rejects it. */
    safe(...args: CallArguments<Input>): Promise<CallResult<Output, Declared>>;
    /** The route's dotted name. */
    readonly route: string;
}
/**
 * Subscribes to an event of the server: `const off = client.on.chat.message((message) => …)`, or
 * `for await (const message of client.on.chat.message)`.
 *
 * Such a loop receives the events from its start on, and ends when the client is closed. Up to 1,024 events wait for
 * it. One more ends it: the loop still receives the waiting events, and then throws `OVERLOADED`.
 */
export interface EventSource<Payload> {
    (listener: Listener<Payload>): Unsubscribe;
    [Symbol.asyncIterator](): AsyncIterator<Payload, undefined>;
    /** The event's dotted name. */
    readonly route: string;
}
/** Input type of a route: `InputOf<typeof client.chat.post>`. */
export type InputOf<Procedure> = Procedure extends Call<infer Input, infer _Output, infer _Code> ? Input : never;
/** Answer type of a route. */
export type OutputOf<Procedure> = Procedure extends (...args: never[]) => Promise<infer Output> ? Output : never;
/** Payload type of an event. */
export type PayloadOf<Source> = Source extends EventSource<infer Payload> ? Payload : never;
/** Close of a connection. If it is `final`, the client does not reconnect by itself. */
export interface Closed {
    readonly code: number;
    readonly reason: string;
    readonly final: boolean;
}
/** Connection that has opened. */
export interface Opened {
    readonly clientId: string;
    /**
     * True if the session of the last connection goes on, with its id and its rooms: no event was lost, and the calls that
     * were sent are answered. False for a new session, which has missed the events since the last connection.
     */
    readonly resumed: boolean;
    /** Set if a session has ended since the last `onOpen`. */
    readonly lost: LostSession | undefined;
}
/** Session that has ended, with its rooms and the events that the client had not received. */
export interface LostSession {
    readonly clientId: string;
    /** Number of its calls whose answer is lost: the server may have run them. */
    readonly calls: number;
}
/** Members of every app's client. */
export interface ClientBase {
    readonly status: Status;
    /**
     * Error of the last connection or attempt, and `undefined` while the client is connected. After a refused handshake it
     * has the server's code, message and issues.
     */
    readonly lastError: ZocketError | undefined;
    /** Id of the current session, or of the last one. */
    readonly clientId: string | undefined;
    /** True if the current connection, or the last one, continued the session of the one before. */
    readonly resumed: boolean;
    /** Time of the next attempt to connect, as of `Date.now()`, while the client waits for it. */
    readonly retryAt: number | undefined;
    /**
     * Called at each connection, before the waiting calls are sent. Calls of the listener precede them: for example to join
     * rooms again, unless the session was `resumed`.
     */
    onOpen(listener: Listener<Opened>): Unsubscribe;
    /**
     * Called when a connection has ended. A listener may `close()` the client, or `reconnect()` after a final close, for
     * example after some of the app's own codes (4000 to 4999).
     */
    onClose(listener: Listener<Closed>): Unsubscribe;
    /** Called when an attempt to connect fails, and for errors that belong to no call. */
    onError(listener: Listener<ZocketError>): Unsubscribe;
    onStatus(listener: Listener<Status>): Unsubscribe;
    /** Called with `retryAt` when it changes. */
    onRetry(listener: Listener<number | undefined>): Unsubscribe;
    /** Ends the session and closes the connection for good. Pending calls are rejected with `DISCONNECTED`. */
    close(): void;
    /** Connects at once. Ends a wait, replaces an open connection, whose session it resumes, and reopens a closed client. */
    reconnect(): void;
}
/**
 * The app's connect headers, or a function that returns them, which is called at each attempt. If the server refuses them
 * as `UNAUTHORIZED` (401), a function is asked once more before the client gives up.
 */
export type HeadersSource = Headers | (() => Headers | PromiseLike<Headers>);
/** `headers` is optional if every header is. */
type HeadersOption = {} extends Headers ? {
    readonly headers?: HeadersSource | undefined;
} : {
    readonly headers: HeadersSource;
};
/** Options of a client. Times are in milliseconds. */
export type Options = OptionsBase & HeadersOption;
/** The options without the headers. */
export interface OptionsBase {
    /** Time limit of a call, unless the call sets its own. The default is 10,000. */
    readonly timeout?: number | undefined;
    /** Time limit of an attempt to connect, including the headers and the server's welcome. The default is 10,000. */
    readonly connectTimeout?: number | undefined;
    /**
     * Bounds of the wait before attempt n, a random time between `floor` (500) and `floor * 2 ** (n + 1)`, at most `cap`
     * (30,000). n counts from 0, and restarts after an answered call. After a connection of 5 s, the greater bound is
     * `floor * 2 ** (n + 0.6)`.
     */
    readonly backoff?: {
        readonly floor?: number | undefined;
        readonly cap?: number | undefined;
    } | undefined;
    /**
     * Maximum number of calls that wait, for a connection or for earlier ones, of which the server takes a limited number at
     * a time. The default is 1,000. Further calls fail with `OVERLOADED`.
     */
    readonly maxQueued?: number | undefined;
    /** `false` delays the first connection until `reconnect()`, without use of any global. Calls wait. */
    readonly autoConnect?: boolean | undefined;
    /**
     * Development mode: calls `validate`, and warns if the server has another contract. The default depends on `NODE_ENV`
     * and on a local host name.
     */
    readonly dev?: boolean | undefined;
    /**
     * Checks payloads in development mode. An input with issues is not sent (`BAD_REQUEST`). Outputs, events and data of
     * refusals with issues are delivered, and reported to `onError` (`INVALID_PAYLOAD`).
     */
    readonly validate?: Validate | undefined;
    /** Implementation for runtimes without a global `WebSocket`, such as Node 20: the package `ws`. */
    readonly WebSocket?: WebSocketConstructor | undefined;
    /** Replaces timers and randomness in tests. */
    readonly clock?: Clock | undefined;
}
/** Returns the issues in a payload. The payload of a `refusal` is its data, and `code` is set for it only. */
export type Validate = {
    validate(route: string, direction: "input" | "output" | "event" | "refusal", payload: unknown, code?: string): readonly PayloadIssue[] | undefined;
}["validate"];
export interface Clock {
    setTimeout(run: () => void, ms: number): unknown;
    clearTimeout(timer: unknown): void;
    /** Returns a number of at least 0 and less than 1. */
    random(): number;
}
export interface SocketEvent {
    readonly type: string;
    readonly data?: unknown;
    readonly code?: number | null | undefined;
    readonly reason?: string | null | undefined;
    readonly message?: string | undefined;
}
/** The members of `WebSocket` that the client uses. */
export interface WebSocketLike {
    readonly readyState: number;
    addEventListener(type: "message" | "close" | "error", listener: (event: SocketEvent) => void): void;
    send(data: string): void;
    close(code?: number, reason?: string): void;
}
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;
export declare const ZocketError: ZocketErrorConstructor;
/**
 * Returns true for errors of the client and the server: `isZocketError(error)`. With a call,
 * `isZocketError(client.chat.post, error)` has the codes that the procedure declares, and is false for other calls.
 */
export declare function isZocketError(error: unknown): error is ZocketError;
export declare function isZocketError<Declared extends string | Refused>(call: {
    safe(...args: never[]): Promise<CallResult<unknown, Declared>>;
    readonly route: string;
}, error: unknown): error is ZocketError<Declared>;
/**
 * Creates a client of the app. It connects at once, and reconnects by itself until it is closed.
 *
 * The URL has the scheme of WebSocket or HTTP. Pages may omit the origin: `createClient("/ws", { headers: { … } })`. On a
 * server that renders pages, such a client does not connect, and its calls fail.
 */
export declare function createClient(url: string | {
    readonly href: string;
}, ...[given]: {} extends Headers ? [options?: Options] : [options: Options]): Client;
export {};
