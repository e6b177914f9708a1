// ---------------------------------------------------------------------------------------------------------------------
// The client. The part above is generated for one app, and the part below is the same for every app.
// ---------------------------------------------------------------------------------------------------------------------

// Globals of the runtime, declared here so that this file compiles with or without the types of the DOM and Node. Only
// timers and console are required at run time. `URL` is used in pages only: React Native's has getters that throw, and
// no setters.
declare const console: { warn(...what: unknown[]): void; error(...what: unknown[]): void };
declare const process: { readonly env: { readonly NODE_ENV?: string } };
declare function setTimeout(run: () => void, ms: number): unknown;
declare function clearTimeout(timer: unknown): void;
declare const URL: new (url: string, base: string) => { readonly href: string };

/** Globals that may be missing. */
const page = globalThis as unknown as Partial<EventTargetLike> & {
  readonly WebSocket?: WebSocketConstructor;
  readonly document?: Partial<EventTargetLike> & { readonly visibilityState: string };
  readonly location?: { readonly href?: string; readonly hostname?: string } | null;
  reportError?(error: unknown): void;
};

interface EventTargetLike {
  addEventListener(type: string, listener: (event: PageEvent) => void): void;
  removeEventListener(type: string, listener: (event: PageEvent) => void): void;
}

interface PageEvent {
  readonly type: string;
  /** True if the page may come back from the browser's cache. */
  readonly persisted?: boolean;
}

// ---------------------------------------------------------------------------------------------------------------------
// Types
// ---------------------------------------------------------------------------------------------------------------------

/** State of the connection: `reconnecting` after a first connection was lost, `closed` when no attempt will follow. */
export type Status = "connecting" | "open" | "reconnecting" | "closed";

/** Called with each value. An exception is reported, and does not affect other listeners. */
export type Listener<Value> = (value: Value) => void;

/** Ends a subscription. Further calls have no effect. */
export type Unsubscribe = () => void;

/** Codes with which any procedure may refuse a call. */
export type ProtocolCode =
  | "PARSE_ERROR"
  | "NOT_FOUND"
  | "BAD_REQUEST"
  | "UNAUTHORIZED"
  | "FORBIDDEN"
  | "CONFLICT"
  | "PRECONDITION_FAILED"
  | "TIMEOUT"
  | "OVERLOADED"
  | "TOO_MANY_REQUESTS"
  | "PAYLOAD_TOO_LARGE"
  | "INTERNAL_SERVER_ERROR";

/**
 * Codes of the client's own errors, beside `TIMEOUT`, `OVERLOADED`, `BAD_REQUEST` and `PAYLOAD_TOO_LARGE`.
 *
 * - `DISCONNECTED`: the connection ended or could not be opened. `sent` says if the server may have received the call.
 * - `CLOSED`: the call was made on a closed client.
 * - `INVALID_PAYLOAD`: `Options.validate` found issues in a payload from the server. Only `onError` receives it.
 */
export type ClientCode = "DISCONNECTED" | "CLOSED" | "INVALID_PAYLOAD";

/** All codes with which a call can fail: those of the protocol, of the client, and those that the procedure declares. */
export type ErrorCode<Declared extends string | Refused = never> =
  | ProtocolCode
  | ClientCode
  | (Declared extends Refused<infer Code> ? Code : Declared);

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
export type ZocketError<Declared extends string | Refused = string> =
  | ErrorWith<ErrorCode<Declared extends string ? Declared : never>, string extends Declared ? unknown : undefined>
  // The intersection is `Code`. In generic code, it makes `code` an `ErrorCode<Declared>`.
  | (Declared extends Refused<infer Code, infer Data> ? ErrorWith<Code & ErrorCode<Declared>, Data> : never);

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
export type CallResult<Output, Declared extends string | Refused = never> =
  | { readonly ok: true; readonly data: Output; readonly error: undefined }
  | { readonly ok: false; readonly data: undefined; readonly error: ZocketError<Declared> };

/** Arguments of a call. A route without input only takes the options. */
export type CallArguments<Input> = [Input] extends [void]
  ? [options?: CallOptions]
  : [input: Input, options?: CallOptions];

// `Call` and `EventSource` have no comments on their call signatures, since editors would show those in place of the
// route's comment.

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
type HeadersOption = {} extends Headers
  ? { readonly headers?: HeadersSource | undefined }
  : { readonly headers: HeadersSource };

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
  readonly backoff?: { readonly floor?: number | undefined; readonly cap?: number | undefined } | undefined;
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
  // A method, since a function may then name fewer directions.
  validate(
    route: string,
    direction: "input" | "output" | "event" | "refusal",
    payload: unknown,
    code?: string,
  ): readonly PayloadIssue[] | undefined;
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

/** Type of `CONTRACT`, which describes the app. */
interface Contract {
  /** Version of the library that generated the client. */
  readonly version: string;
  readonly hash: string;
  /** Each route, with `true` if it has an input. Without that, `client.whoami({ timeout })` would be ambiguous. */
  readonly incoming: Readonly<Record<string, boolean>>;
  readonly outgoing: readonly string[];
}

// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------

export const ZocketError: ZocketErrorConstructor = class extends Error {
  constructor(code: string, message: string, details?: Partial<ErrorDetails>) {
    super(message);
    // Assigned, since as a field `cause` may override one of Error's, depending on the `lib` of the compilation.
    Object.assign(this, { name: "ZocketError", code, issues: [] }, details);
  }
} as unknown as ZocketErrorConstructor;

/**
 * Returns true for errors of the client and the server: `isZocketError(error)`. With a call,
 * `isZocketError(client.chat.post, error)` has the codes that the procedure declares, and is false for other calls.
 */
export function isZocketError(error: unknown): error is ZocketError;
export function isZocketError<Declared extends string | Refused>(
  call: { safe(...args: never[]): Promise<CallResult<unknown, Declared>>; readonly route: string },
  error: unknown,
): error is ZocketError<Declared>;
export function isZocketError(call: unknown, error = call): boolean {
  return error instanceof ZocketError && (error === call || error.route === (call as { readonly route: string }).route);
}

/** Reports an exception that has no caller to go to. */
function report(error: unknown): void {
  // Only in pages, where it fires `window.onerror`. In other runtimes it may end the process.
  if (page.document && page.reportError) page.reportError(error);
  else console.error(error);
}

const noop = (): void => {};

// ---------------------------------------------------------------------------------------------------------------------
// Listeners and events
// ---------------------------------------------------------------------------------------------------------------------

interface Listeners<Value> {
  add(listener: Listener<Value>): Unsubscribe;
  /** Returns true if there was a listener. */
  emit(value: Value): boolean;
}

// A function, as is all that follows: minifiers shorten the names of variables, but not those of members.
function createListeners<Value>(): Listeners<Value> {
  // Boxed, so that a function with two subscriptions is called twice, and each `off` ends its own subscription.
  const boxes = new Set<readonly [Listener<Value>]>();
  return {
    add: (listener) => {
      const box = [listener] as const;
      boxes.add(box);
      return () => void boxes.delete(box);
    },
    emit: (value) => {
      // Iterates over a copy: a listener added meanwhile gets the next value, and one removed meanwhile not even this one.
      const copy = [...boxes];
      for (const box of copy) {
        try {
          if (boxes.has(box)) box[0](value);
        } catch (error) {
          report(error);
        }
      }
      return copy.length > 0;
    },
  };
}

const MAX_BUFFERED_EVENTS = 1024;

function iterate<Payload>(
  route: string,
  events: Listeners<Payload>,
  ends: Listeners<void>,
  isClosed: boolean,
): AsyncIterator<Payload, undefined> {
  type Result = IteratorResult<Payload, undefined>;
  const arrived: (() => Result)[] = [];
  const asked: ((result: Result) => void)[] = [];
  const end: Result = { done: true, value: undefined };
  let isDone = false;

  const finish = (): Result => {
    isDone = true;
    offEvents();
    offEnds();
    for (const resolve of asked.splice(0)) resolve(end);
    return end;
  };
  const offEvents = events.add((value) => {
    const result = (): Result => ({ done: false, value });
    const resolve = asked.shift();
    if (resolve) resolve(result());
    else if (arrived.push(result) > MAX_BUFFERED_EVENTS) {
      arrived[MAX_BUFFERED_EVENTS] = () => {
        throw new ZocketError("OVERLOADED", `${MAX_BUFFERED_EVENTS} events already wait to be read`, { route });
      };
      finish();
    }
  });
  const offEnds = ends.add(finish);
  if (isClosed) finish();

  return {
    next: async () => arrived.shift()?.() ?? (isDone ? end : new Promise((resolve) => asked.push(resolve))),
    return: async () => {
      arrived.length = 0;
      return finish();
    },
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// Calls
// ---------------------------------------------------------------------------------------------------------------------

interface PendingCall {
  readonly id: number;
  readonly route: string;
  /**
   * The frame, encoded at the time of the call, so that later changes of the input are not sent. `VOID` once the call is
   * settled.
   */
  text: string;
  /** Returns false if the call has to wait. */
  trySend(): boolean;
  /** Bytes of its frame. */
  bytes: number;
  resolve(output: unknown): void;
  reject(error: unknown): void;
  /** Rejects the call with an error of the client. */
  fail(code: string, message: string, details?: Partial<ErrorDetails>): void;
}

/**
 * The pending calls, with their timers and signals, and the record: what was sent in a session that can be resumed, and not
 * acknowledged. Calls are all that is counted there. Independent of sockets.
 */
interface Calls {
  /** Starts a call. With `refused`, it fails at once with that error. */
  start(route: string, payload: unknown, options: CallOptions, refused?: ZocketError): Promise<unknown>;
  /**
   * Begins a connection to a server with these limits. A session that can be resumed has a record of `maxRecord` bytes.
   * Sends the record again, then runs `first`, whose calls precede those that wait.
   */
  connected(limits: Json, maxRecord: number, send: (text: string) => void, first: () => void): void;
  /**
   * Drops the first `n` frames of the session from the record. Returns the number of those that were in it: negative, if
   * more were acknowledged before, and `NaN` if so many were never sent.
   */
  acknowledged(n: unknown): number;
  /** Settles the sent call with this id, and sends a waiting one in its place. */
  answered(id: unknown, settle: (call: PendingCall) => void): void;
  /**
   * Rejects the sent calls at the end of a session. Unsent ones wait for the next, unless this end is final. Returns the
   * number of calls that the server may have run. If it `hasAcknowledged`, it has run none beyond.
   */
  ended(isFinal: boolean, why: string, hasAcknowledged: boolean): number;
}

function createCalls(
  clock: Clock,
  { timeout: usualTimeout = 10_000, maxQueued = 1000 }: OptionsBase,
  /** Returns the socket of an open connection. */
  openSocket: () => WebSocketLike | undefined,
  /** Called when no answer came to a call that was sent. */
  onTimeout: () => void,
): Calls {
  // Every call has an id, so that the server answers each: of a message without one, a client can't know when the server no
  // longer counts it. Ids are never reused, so that the late answer to an abandoned call is not taken for another's.
  let lastId = 0;
  let maxFrame = Infinity;
  let maxSent = Infinity;
  const queued = new Set<PendingCall>();
  /** Every call that the server has not answered. A call that was given up is one of them, since the server counts it. */
  const sent = new Map<number, PendingCall>();
  let sentBytes = 0;
  /** Counted frames of the session that are not acknowledged, in the order in which they were sent. */
  let record: PendingCall[] = [];
  let recordBytes = 0;
  /** Bytes that the record may have. 0 if the session can't be resumed. */
  let maxRecord = 0;
  /** Number of the last acknowledged frame. */
  let acknowledged = 0;
  let isFlushing = false;

  /** Sends the waiting calls in order, as long as the server takes them. */
  function flush(): void {
    // A server within the process answers during `send`. The loop below then goes on.
    if (isFlushing) return;
    isFlushing = true;
    for (const call of queued) if (!call.trySend()) break;
    isFlushing = false;
  }

  /** Removes a call from those that the server has not answered. */
  function take(id: number): PendingCall | undefined {
    const call = sent.get(id);
    if (call) sentBytes -= call.bytes;
    sent.delete(id);
    return call;
  }

  return {
    start: (route, payload, { timeout: ms = usualTimeout, signal }, refused) => {
      const id = ++lastId;
      let timer: unknown;
      let settle!: Pick<PendingCall, "resolve" | "reject">;
      const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));

      const end = (): void => {
        queued.delete(call);
        call.text = VOID;
        clock.clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      const reject = (error: unknown): void => {
        end();
        // A call without a handler that fails by its connection, timeout or signal, or by a refusal that passes by itself,
        // is not an unhandled rejection, which would end a Node process over a typing notice. Any other refusal is one,
        // since nobody would see it.
        if (!(error instanceof ZocketError) || error.sent || TEMPORARY.test(error.code)) promise.catch(noop);
        settle.reject(error);
      };
      const fail: PendingCall["fail"] = (code, message, details) => reject(new ZocketError(code, message, { route, ...details }));
      const onAbort = (): void => reject(signal?.reason ?? new Error(`the call of ${route} was aborted`));

      const call: PendingCall = {
        id,
        route,
        text: "",
        bytes: 0,
        trySend: () => {
          if (call.bytes > maxFrame) {
            // The server could not read the id of such a frame, and would close the connection.
            fail("PAYLOAD_TOO_LARGE", `the input of ${route} exceeds the server's limit of ${maxFrame} bytes`);
            return true;
          }
          // The server's queue is bounded by calls, and by the bytes of one frame.
          const socket = openSocket();
          if (!socket || sent.size >= maxSent || (maxSent < Infinity && sentBytes >= maxFrame)) return false;
          if (maxRecord) {
            if (recordBytes >= maxRecord / 2) return false;
            record.push(call);
            recordBytes += call.bytes + FRAME_WEIGHT;
          }
          // Before it is sent, since a server within the process may answer, or close, during `send`.
          queued.delete(call);
          sent.set(id, call);
          sentBytes += call.bytes;
          socket.send(call.text);
          return true;
        },
        resolve: (output) => {
          end();
          settle.resolve(output);
        },
        reject,
        fail,
      };
      if (signal?.aborted) onAbort();
      else if (refused) reject(refused);
      else {
        try {
          call.text = JSON.stringify({ type: route, payload, rpcId: id });
          if (call.text.includes("null")) checkNulls(payload);
          call.bytes = sizeOf(call.text);
        } catch (cause) {
          fail("BAD_REQUEST", `the input of ${route} is not JSON: ${cause}`, { cause });
          return promise;
        }
        if (ms < 2 ** 31) {
          // Longer timeouts overflow the timer, which would elapse at once.
          setLimit((run) => (timer = clock.setTimeout(run, ms)), ms, () => {
            const wasSent = sent.has(id);
            fail("TIMEOUT", `expected an answer to ${route} within ${ms} ms, got none`, { sent: wasSent ? "unknown" : "no" });
            if (wasSent) onTimeout();
          });
        }
        signal?.addEventListener("abort", onAbort);
        if (!call.trySend()) {
          if (queued.size < maxQueued) queued.add(call);
          else fail("OVERLOADED", `${maxQueued} calls already wait to be sent`, { sent: "no" });
        }
      }
      return promise;
    },
    connected: (limits, newMaxRecord, send, first) => {
      maxFrame = positive(limits["message"], Infinity);
      maxSent = positive(limits["calls"], Infinity);
      maxRecord = newMaxRecord;
      const waiting = [...queued];
      isFlushing = true;
      // A copy, since a server within the process acknowledges during `send`.
      for (const { id, text } of [...record]) {
        // The server does not run a call that was given up meanwhile, and will not answer it.
        if (text === VOID) take(id);
        send(text);
      }
      first();
      isFlushing = false;
      for (const call of waiting) if (queued.delete(call)) queued.add(call);
      flush();
    },
    answered: (id, settle) => {
      const call = take(id as number);
      if (!call) return;
      settle(call);
      flush();
    },
    acknowledged: (n) => {
      const count = (n as number) - acknowledged;
      if (!Number.isInteger(n) || (n as number) < 0 || count > record.length) return NaN;
      if (count > 0) {
        acknowledged += count;
        for (const { bytes } of record.splice(0, count)) recordBytes -= bytes + FRAME_WEIGHT;
        flush();
      }
      return count;
    },
    ended: (isFinal, why, hasAcknowledged) => {
      let unknown = 0;
      for (const calls of isFinal ? [sent, queued] : [sent]) {
        for (const call of calls.values()) {
          const wasSent = calls === sent && !(hasAcknowledged && record.includes(call));
          if (wasSent) unknown++;
          call.fail("DISCONNECTED", `${call.route}: ${why}`, { sent: wasSent ? "unknown" : "no" });
        }
      }
      sent.clear();
      record = [];
      sentBytes = recordBytes = acknowledged = 0;
      return unknown;
    },
  };
}

/** Throws at a value that JSON writes as null though it is none: `NaN`, an infinity, `undefined` in an array. */
function checkNulls(input: unknown): void {
  const paths = new Map<unknown, string>();
  JSON.stringify(input, function (this: unknown, key, value: unknown) {
    const path = paths.has(this) ? `${paths.get(this)}.${key}` : "input";
    if (typeof value === "number" ? !isFinite(value) : value === undefined && Array.isArray(this)) {
      throw new RangeError(`${path} is ${value}`);
    }
    paths.set(value, path);
    return value;
  });
}

/**
 * Calls `expire` after a time limit. If the timer is late, the page or process was stopped, and has not yet read what came
 * meanwhile: it waits for once the limit more.
 */
function setLimit(schedule: (run: () => void, ms: number) => void, ms: number, expire: () => void): void {
  // A hidden page, whose timers are up to a second late, is not stopped.
  const due = Date.now() + ms + 1000;
  schedule(() => (Date.now() > due ? schedule(expire, ms) : expire()), ms);
}

/**
 * Encodes a part of a query, of which `%..` is one byte in UTF-8. Half an emoji, which `encodeURIComponent` refuses, is
 * replaced as `URL` does.
 */
const encode = (part: unknown): string => encodeURIComponent(String(part).replace(/[\ud800-\udfff]/gu, "\ufffd"));

/** Returns the bytes of a text in UTF-8. Encodes it only if it has letters beyond ASCII. */
const sizeOf = (text: string): number => (/[^\0-~]/.test(text) ? encode(text).replace(/%../g, "x") : text).length;

// ---------------------------------------------------------------------------------------------------------------------
// The connection
// ---------------------------------------------------------------------------------------------------------------------

/** Silence after which the client pings, unless the welcome has the server's `heartbeatMs`. */
const PING_AFTER = 25_000;
/** Bounds of the time limit for the answer to a ping. */
const PONG_WITHIN = 5000;
const MAX_PONG_WITHIN = 60_000;
/** Close code of a connection that ended without one. */
const ABNORMAL = 1006;
/** Close code of a socket whose session goes on with another one. */
const REPLACED = 3501;
/** Frame that does nothing. It is sent again in place of a call that nobody waits for any more. */
const VOID = '{"type":"__void"}';
/** Bytes by which each frame counts more than its length, in both records. */
const FRAME_WEIGHT = 64;
/** Tokens, and reasons that are for programs. */
const WORD = /^[\w-]+$/;
/** Codes of refusals that pass by themselves. */
const TEMPORARY = /^(OVERLOADED|TIMEOUT|TOO_MANY_REQUESTS|INTERNAL_SERVER_ERROR)$/;

const realClock: Clock = {
  // A longer delay overflows, and would elapse at once.
  setTimeout: (run, ms) => setTimeout(run, Math.min(ms, 2 ** 31 - 1)),
  clearTimeout: (timer) => clearTimeout(timer),
  random: Math.random,
};

function isDevelopment(): boolean {
  if (/^(localhost|127\.0\.0\.1|\[::1\])$/.test(page.location?.hostname as string)) return true;
  try {
    // Bundlers replace exactly this expression.
    return process.env.NODE_ENV !== "production";
  } catch {
    return false; // A page without a bundler, or Deno without permission to read the environment.
  }
}

/** An unchecked JSON value. Members of a value that is not an object are `undefined`. */
type Json = { readonly [member: string]: unknown };
const asObject = (value: unknown): Json => Object(value) as Json;
/** Returns a positive number, or else the default. */
function positive<Default>(value: unknown, otherwise: Default): number | Default {
  return typeof value === "number" && value > 0 ? value : otherwise;
}

/** Returns a frame, or else the error that reports it. */
function parse(text: string): Json {
  try {
    return asObject(JSON.parse(text));
  } catch (cause) {
    return new ZocketError("PARSE_ERROR", "expected a JSON frame from the server", { cause }) as unknown as Json;
  }
}

/** Returns the error in an answer, or in a frame that names the route, if any. */
function refusal(value: unknown, route?: string): ZocketError {
  const { code, message, issues = [], retryAfterMs, data, type = route } = asObject(value);
  return new ZocketError(String(code), String(message), {
    route: type as string | undefined,
    issues: issues as PayloadIssue[],
    data,
    retryAfterMs: positive(retryAfterMs, undefined),
  });
}

/** A node of the client's tree. It has no prototype, since a segment of a route may be called `constructor`. */
interface Tree {
  [segment: string]: unknown;
}
const createTree = (): Tree => ({ __proto__: null });

/** Adds a leaf for a dotted name to a tree. */
function grow(tree: Tree, route: string, leaf: unknown): void {
  const segments = route.split(".");
  const last = segments.pop() as string;
  for (const segment of segments) tree = (tree[segment] ??= createTree()) as Tree;
  tree[last] = leaf;
}

/**
 * Creates a client of the app. It connects at once, and reconnects by itself until it is closed.
 *
 * The URL has the scheme of WebSocket or HTTP. Pages may omit the origin: `createClient("/ws", { headers: { … } })`. On a
 * server that renders pages, such a client does not connect, and its calls fail.
 */
export function createClient(
  url: string | { readonly href: string },
  ...[given]: {} extends Headers ? [options?: Options] : [options: Options]
): Client {
  const contract: Contract = CONTRACT;
  const options: OptionsBase & { readonly headers?: HeadersSource | undefined } = given ?? {};
  const { clock = realClock, connectTimeout = 10_000, backoff: { floor = 500, cap = 30_000 } = {} } = options;
  const validate = options.validate && (options.dev ?? isDevelopment()) ? options.validate : undefined;

  const opens = createListeners<Opened>();
  const closes = createListeners<Closed>();
  const errors = createListeners<ZocketError>();
  const statuses = createListeners<Status>();
  const retries = createListeners<number | undefined>();
  /** Ends the loops over events when the client is closed. */
  const ends = createListeners<void>();
  const events = new Map<string, Listeners<unknown>>();

  let status: Status = "connecting";
  let lastError: ZocketError | undefined;
  let clientId: string | undefined;
  let retryAt: number | undefined;
  let toldRetryAt: number | undefined;
  let hasWarned = false;
  /** The current connection or attempt, from its headers on. Events of earlier sockets are ignored. */
  let current: { socket?: WebSocketLike } | undefined;
  /** True from the current connection's welcome on. */
  let isWelcome = false;
  let Socket: WebSocketConstructor | undefined;
  /** Timer of the current phase: the wait, then the limit of the attempt, then the age of a stable connection. */
  let timer: unknown;
  /** Exponent of the longest wait for the next attempt. */
  let step = 1;
  /** Timer of the heartbeat: the silence, then the time limit of a ping. */
  let pulse: unknown;
  let pingAfter = PING_AFTER;
  let pongWithin = PONG_WITHIN;
  let isPinged = false;
  /** Reason of the refused handshake whose Close comes next. */
  let refused: ZocketError | undefined;
  let mayRenew = true;
  /** The token by which the session can be resumed. It must not be stored: a copied page would take over the session. */
  let token: string | undefined;
  let resumed = false;
  /** The session that has ended since the last `onOpen`. */
  let lostSession: LostSession | undefined;
  /** Number of the last counted frame of the session. */
  let received = 0;
  /** Bytes of those that were not acknowledged, and when the acknowledgement is due, as of `Date.now()`. */
  let untold = 0;
  let ackAt = 0;
  let ackAfter = 0;
  let ackTimer: unknown;
  let maxUntold = 0;
  /** Timer of the time for which the server keeps the session of a broken connection. */
  let parking: unknown;
  let parkedFor = 0;
  let isOverdue = false;

  const calls = createCalls(clock, options, openSocket, () => isPinged || ping());

  function openSocket(): WebSocketLike | undefined {
    const socket = current?.socket;
    // A socket that is not OPEN drops frames silently.
    return status === "open" && socket?.readyState === 1 ? socket : undefined;
  }

  function send(text: string): void {
    current?.socket?.send(text);
  }

  function setStatus(next: Status): void {
    if (status === next) return;
    status = next;
    statuses.emit(next);
    if (next === "closed") ends.emit();
  }

  /** Calls the listeners of `onRetry`. Must come last, since a listener may change the client's state. */
  function tellRetry(): void {
    if (retryAt !== toldRetryAt) retries.emit((toldRetryAt = retryAt));
  }

  /** Reports an error that belongs to no call. */
  function tell(error: ZocketError): void {
    if (!errors.emit(error)) console.warn("zocket:", error);
  }

  function schedule(run: () => void, ms: number): void {
    clock.clearTimeout(timer);
    timer = clock.setTimeout(run, ms);
  }

  /** Closes the connection in such a way that the server ends its session. */
  function bye(): void {
    current?.socket?.close(1000, "bye");
  }

  /** Drops the current connection or attempt. The server keeps its session. */
  function drop(): void {
    clock.clearTimeout(timer);
    clock.clearTimeout(pulse);
    clock.clearTimeout(ackTimer);
    isPinged = isWelcome = false;
    refused = retryAt = undefined;
    const socket = current?.socket;
    current = undefined;
    socket?.close();
  }

  // ---------------------------------------------------------------------------------------------------------- session

  /** Waits for as long as the server keeps the session of a connection that broke. */
  function park(): void {
    clock.clearTimeout(parking);
    parking = clock.setTimeout(() => {
      // A handshake that is under way holds the session.
      isOverdue = !!current?.socket;
      if (!isOverdue) endSession(false, "the session has ended");
    }, parkedFor);
  }

  /** Settles what belongs to the session, and forgets it. A new one begins with the next welcome. */
  function endSession(isFinal: boolean, why: string, hasAcknowledged = false): void {
    clock.clearTimeout(parking);
    const unknown = calls.ended(isFinal, why, hasAcknowledged);
    if (clientId) lostSession ??= { clientId, calls: unknown };
    isOverdue = false;
    token = undefined;
    received = 0;
  }

  /** Counts a frame of a session that can be resumed. */
  function count(text: string): void {
    received++;
    const isFirst = !untold;
    // At least the bytes of the text in UTF-8.
    untold += text.length * (/[^\0-~]/.test(text) ? 3 : 1) + FRAME_WEIGHT;
    if (isFirst) {
      ackAt = Date.now() + ackAfter;
      ackTimer = clock.setTimeout(acknowledge, ackAfter);
    }
    // Timers of a hidden page are late.
    if (untold > maxUntold || Date.now() >= ackAt) acknowledge();
  }

  function acknowledge(): void {
    clock.clearTimeout(ackTimer);
    untold = 0;
    send(`{"type":"__ack","payload":${received}}`);
  }

  /** Ends a session whose server has acknowledged frames that were never sent. */
  function fault(): void {
    token = undefined;
    bye();
    lost("DISCONNECTED", "the server acknowledged what was not sent");
  }

  // ------------------------------------------------------------------------------------------------------- connecting

  /** Returns the absolute URL, without headers. `undefined` for a relative one where there is no page. */
  function endpoint(): string | undefined {
    let target = (typeof url === "string" ? url : url.href).trim();
    if (!/^[a-z][a-z\d+.-]*:/i.test(target)) {
      const base = page.location?.href;
      if (!base) return undefined;
      target = new URL(target, base).href;
    }
    // Without the fragment, which `WebSocket` refuses.
    const [found, secure = "", host, port = 0, rest = ""] =
      /^(?:ws|http)(s?):\/\/([^\s/?#]+?(?::(\d+))?)(?![^/?#])([^#]*)/i.exec(target) ?? [];
    if (!found || +port > 65_535) throw unusable(target);
    return `ws${secure.toLowerCase()}://${host}${rest[0] === "/" ? "" : "/"}${rest}`;
  }

  function unusable(target: string | { readonly href: string }): Error {
    return new Error(`expected a URL like wss://example.org/ws, or a relative one in a page, got ${target}`);
  }

  /** Starts connecting, also after the client was closed. */
  function begin(): void {
    // Invalid arguments throw at once.
    if (!endpoint()) throw unusable(url);
    Socket = options.WebSocket ?? page.WebSocket;
    if (!Socket) throw new Error("expected a global WebSocket or options.WebSocket, such as the package `ws`");
    watch(true);
    connect();
  }

  function connect(): void {
    drop();
    const attempt: { socket?: WebSocketLike } = (current = {});
    const isPresent = (): boolean => attempt === current;
    setLimit(schedule, connectTimeout, () => lost("TIMEOUT", `expected a connection within ${connectTimeout} ms, got none`));
    let failure = "";
    let code = ABNORMAL;

    const dial = async (): Promise<void> => {
      const headers = await (typeof options.headers === "function" ? options.headers() : options.headers);
      if (!isPresent()) return;
      // From here on only the constructor throws: for arguments that no attempt changes, or if the page may not connect. The
      // code makes that final. It is not reported, since no connection was open.
      code = 3500;
      let target = endpoint() as string;
      // Of a repeated name, the last one counts.
      for (const [name, value] of Object.entries<unknown>({ ...headers, "x-zocket-version": contract.version })) {
        if (value != null) target += `${target.includes("?") ? "&" : "?"}${encode(name)}=${encode(value)}`;
      }
      // The codec, and what the client understands beside it: the reasons of refused handshakes, a bound of calls, and
      // sessions that outlive connections. From here on nothing is taken from older sockets, so `received` holds.
      const resume = token ? `zocket.resume.${token}.${received}` : "zocket.resume";
      const socket = new Socket!(target, ["zocket.v1.json", "zocket.refusals", "zocket.flow", resume]);
      attempt.socket = socket;
      socket.addEventListener("message", ({ data }) => isPresent() && receive(data));
      // Some runtimes describe the error here, and browsers never do. The close that follows is handled.
      socket.addEventListener("error", (event) => void (failure = event.message ?? ""));
      socket.addEventListener("close", (event) => {
        if (!isPresent()) return;
        // React Native leaves both out of a failure.
        code = event.code ?? ABNORMAL;
        lost("DISCONNECTED", `the connection ended: ${code} ${event.reason || failure}`.trim(), code, event.reason ?? "");
      });
    };
    dial().catch((cause: unknown) => isPresent() && lost("DISCONNECTED", `can't connect: ${cause}`, code, "", cause));
    // Must come last, since a listener may close the client.
    if (status === "open") setStatus("reconnecting");
    else if (status === "closed") setStatus("connecting");
    tellRetry();
  }

  /**
   * Handles the unexpected end of a connection, or a failed attempt.
   *
   * The client must not reconnect after 3500 to 3999, the app's codes 4000 to 4999, and 1008 from `on_open`, unless its
   * reason is temporary. All others lead to a new attempt. These include 3100 to 3299, with which a server refuses a
   * handshake for now (and with 3600 to 3799 for good), 1000 without `close()`, which mobile browsers report for a page in
   * the background, and 1002, 1007 and 1009, which end this connection only.
   *
   * A break is not the end of the session. Runtimes report 1000, 1005 and 1006 by themselves, and proxies close with texts
   * for people, while the reasons of a server are words. After 3501 the session goes on, but with a socket that this client
   * has given up: its handshake was late. Refused handshakes and 3004, which come before a welcome, say nothing about the
   * session, and any other code there is the one with which it was closed meanwhile.
   */
  function lost(errorCode: string, message: string, code = ABNORMAL, reason = "", cause?: unknown): void {
    const wasOpen = status === "open";
    const wasWelcome = isWelcome;
    // After a 401, one attempt with fresh headers precedes giving up.
    mayRenew = !(mayRenew && code === 3601 && typeof options.headers === "function");
    const isBreak = token && (code < 3000 ? !WORD.test(reason) : /^3(004|501|[1267])/.test(`${code}`));
    const final = mayRenew && (code === 1008 ? !TEMPORARY.test(reason) : code >= 3500 && !(isBreak && code === REPLACED));
    const error = (lastError = refused ?? new ZocketError(errorCode, message, { cause }));
    drop();
    if (final) watch(false);
    else {
      // A server that shuts down or restarts loses all clients at once, so their return is spread over more time.
      if (code === 1001 || code === 1012) step = Math.max(step, 3);
      const ceiling = Math.max(floor, Math.min(cap, floor * 2 ** step++));
      const wait = Math.max(floor, error.retryAfterMs ?? 0) + clock.random() * (ceiling - floor);
      retryAt = Date.now() + wait;
      schedule(connect, wait);
    }
    if (final || isOverdue || !isBreak) {
      // The server acknowledges before it closes, and begins nothing after that.
      endSession(final, error.message || error.code, wasWelcome && !isBreak && code !== ABNORMAL);
    } else if (wasWelcome) park();
    // The state is consistent from here on, so listeners may change it.
    if (final) setStatus("closed");
    else if (wasOpen) setStatus("reconnecting");
    if (wasOpen) closes.emit({ code, reason, final });
    else errors.emit(error);
    tellRetry();
  }

  /**
   * Ends a wait of its own, or checks the connection, when the page becomes visible or the network is back. An attempt
   * begins anew with the network, since it may wait for one that is gone. Leaves with the page, unless the browser may
   * show it again.
   */
  function wake({ type, persisted }: PageEvent): void {
    const isOpen = status === "open";
    if (type === "pagehide") {
      if (!persisted) bye();
      // The browser would keep the connection of a page in its cache, and so its place in rooms, for minutes.
      else if (isOpen) lost("DISCONNECTED", "the client closed the connection");
    } else if (type !== "visibilitychange" || page.document?.visibilityState === "visible") {
      if (isOpen) ping();
      else if (!lastError?.retryAfterMs && (!current || type === "online")) connect();
    }
  }

  function watch(on: boolean): void {
    // An event target ignores a listener that it already has.
    const method = on ? "addEventListener" : "removeEventListener";
    page[method]?.("online", wake);
    page[method]?.("pageshow", wake);
    page[method]?.("pagehide", wake);
    page.document?.[method]?.("visibilitychange", wake);
  }

  // -------------------------------------------------------------------------------------------------------- heartbeat

  function schedulePulse(run: () => void, ms: number): void {
    clock.clearTimeout(pulse);
    pulse = clock.setTimeout(run, ms);
  }

  /** Records that a frame came, and pings after the next silence. */
  function alive(): void {
    // Only the answer to a ping shows that the time limit suffices. Other frames are received before a slow one, too.
    if (isPinged) pongWithin = PONG_WITHIN;
    isPinged = false;
    schedulePulse(ping, pingAfter);
  }

  /** Sends a ping, and gives up the connection if no frame comes within the time limit. */
  function ping(): void {
    if (status !== "open") return;
    const limit = pongWithin;
    isPinged = true;
    setLimit(schedulePulse, limit, () => {
      // Doubled, so that an answer behind a large frame on a slow link does not lead from break to break.
      pongWithin = Math.min(limit * 2, MAX_PONG_WITHIN);
      lost("DISCONNECTED", `expected an answer to a ping within ${limit} ms, got none`);
    });
    send('{"type":"__ping"}');
  }

  // -------------------------------------------------------------------------------------------------------- receiving

  function receive(data: unknown): void {
    if (status === "open") alive();
    const frame = parse(data as string);
    const { payload } = frame;
    const type = frame["type"] as string;
    // Before it is handled, since a listener may reconnect.
    if (token && isWelcome && !/^__(welcome|p[io]ng|ack)$/.test(type)) count(String(data));
    if (frame instanceof ZocketError) return tell(frame);
    if (type === "__welcome") return welcome(asObject(payload));
    if (type === "__ack") return token && isNaN(calls.acknowledged(payload)) ? fault() : undefined;
    if (type === "__rpc_res" || type === "__rpc_err") {
      step = Math.min(step, 1);
      return calls.answered(frame["rpcId"], (call) => {
        if (type === "__rpc_err") {
          const error = refusal(frame["error"], call.route);
          if (error.data !== undefined) checkReceived(call.route, "refusal", error.data, error.code);
          return call.reject(error);
        }
        checkReceived(call.route, "output", payload);
        call.resolve(payload);
      });
    }
    if (type === "__error") {
      const error = refusal(payload);
      return status === "open" ? tell(error) : void (refused = error);
    }
    // Unknown types, and pongs, are ignored.
    const listeners = events.get(type);
    if (!listeners) return;
    checkReceived(type, "event", payload);
    listeners.emit(payload);
  }

  function welcome(payload: Json): void {
    if (isWelcome) return;
    // A server that has ended the session for this handshake says what has arrived, and begins nothing after that.
    if (payload["resumed"] !== true) endSession(false, "the session has ended", calls.acknowledged(payload["ended"]) >= 0);
    // Nor can a session go on that the client does not have.
    else if (!token || !(calls.acknowledged(payload["received"]) >= 0)) return fault();
    isWelcome = mayRenew = true;
    resumed = !!token;
    clientId = String(payload["clientId"]);
    lastError = undefined;
    // At this age a connection counts as stable. The first wait after it is at most 1.5 times the least one, so that a
    // short break ends within a second.
    schedule(() => void (step = 0.6), 5000);
    pingAfter = positive(payload["heartbeatMs"], PING_AFTER);
    alive();
    const hash = payload["contract"] ?? contract.hash; // A custom stack has none.
    if (hash !== contract.hash && !hasWarned && (options.dev ?? isDevelopment())) {
      hasWarned = true;
      console.warn(
        `zocket: expected a server with the contract ${contract.hash}, got ${hash}: ` +
          "generate this client again, or reload the page",
      );
    }
    const limits = asObject(payload["limits"]);
    const session = payload["session"] as string;
    token = ([] as unknown[]).concat(payload["features"]).includes("resume") && WORD.test(session) ? session : undefined;
    ackAfter = positive(payload["ackMs"], 1000);
    parkedFor = positive(payload["parkedMs"], 30_000);
    const record = positive(limits["record"], Infinity);
    maxUntold = record / 4;
    // At once, since this shows that the token has arrived: without that, the server does not keep the session.
    if (token) acknowledge();
    calls.connected(limits, token ? record : 0, send, () => {
      // A server within the process may close during `send`.
      if (!isWelcome) return;
      clock.clearTimeout(parking);
      isOverdue = false;
      const opened = { clientId: clientId as string, resumed, lost: lostSession };
      lostSession = undefined;
      setStatus("open");
      // A listener may have closed the client.
      if (status === "open") opens.emit(opened);
    });
  }

  function check(...args: Parameters<Validate>): ZocketError | undefined {
    let issues: readonly PayloadIssue[] | undefined;
    try {
      issues = validate?.(...args);
    } catch (error) {
      report(error);
    }
    if (!issues?.length) return undefined;
    const [route, direction, , code] = args;
    const message = `expected the ${direction}${code ? ` ${code}` : ""} of ${route} to match its contract, got ${issues.length} issue(s)`;
    return new ZocketError(direction === "input" ? "BAD_REQUEST" : "INVALID_PAYLOAD", message, { route, issues });
  }

  function checkReceived(...args: Parameters<Validate>): void {
    const error = check(...args);
    if (error) tell(error);
  }

  // ------------------------------------------------------------------------------------------------------- the surface

  /** Ends the current connection on request of the app, and reports its close. */
  function leave(next: () => void, reason: string, final: boolean): void {
    const wasOpen = status === "open";
    next();
    if (final || !token) endSession(final, "the client closed the connection");
    else if (wasOpen) park();
    if (final) setStatus("closed");
    if (wasOpen) closes.emit({ code: 1000, reason, final });
    tellRetry();
  }

  function call(route: string, input: unknown, callOptions: CallOptions = {}): Promise<unknown> {
    const isClosed = status === "closed";
    const why = isClosed ? "the client is closed" : !current && !endpoint() && unusable(url).message;
    const refused = why
      ? new ZocketError(isClosed ? "CLOSED" : "DISCONNECTED", `${route}: ${why}`, { route, sent: "no" })
      : check(route, "input", input);
    return calls.start(route, input, callOptions, refused);
  }

  const on = createTree();
  const client: ClientBase & Tree = {
    __proto__: null,
    get status() {
      return status;
    },
    get lastError() {
      return lastError;
    },
    get clientId() {
      return clientId;
    },
    get retryAt() {
      return retryAt;
    },
    get resumed() {
      return resumed;
    },
    on,
    onOpen: opens.add,
    onClose: closes.add,
    onError: errors.add,
    onStatus: statuses.add,
    onRetry: retries.add,
    close: () => {
      if (status === "closed") return;
      watch(false);
      leave(() => {
        bye();
        drop();
      }, "", true);
    },
    reconnect: () => {
      if (status === "closed") step = 1;
      leave(begin, "reconnect", false);
    },
  };
  for (const [route, hasInput] of Object.entries(contract.incoming)) {
    const start = (...args: [unknown?, unknown?]): Promise<unknown> =>
      call(route, hasInput ? args.shift() : undefined, args[0] as CallOptions | undefined);
    const safe = (...args: [unknown?, unknown?]): Promise<CallResult<unknown, string>> => {
      const result = start(...args).then(
        (data) => ({ ok: true, data, error: undefined }) as const,
        (error: unknown) => {
          if (error instanceof ZocketError) return { ok: false, data: undefined, error } as const;
          throw error;
        },
      );
      result.catch(noop); // An aborted signal is not an unhandled rejection: see `Calls.start`.
      return result;
    };
    grow(client, route, Object.assign(start, { safe, route }));
  }
  for (const route of contract.outgoing) {
    const listeners = createListeners<unknown>();
    events.set(route, listeners);
    // Where the symbol is missing, Babel's loops use this name.
    const iterator = Symbol.asyncIterator ?? "@@asyncIterator";
    const source = { route, [iterator]: () => iterate(route, listeners, ends, status === "closed") };
    grow(on, route, Object.assign(listeners.add, source));
  }
  if ((options.autoConnect ?? true) && endpoint()) begin();
  return client as unknown as Client;
}
