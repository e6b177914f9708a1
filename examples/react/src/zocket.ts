// Made by zocket from the server's contract cceb32bf0b32eeb9. Changes are lost when it is made again.

export interface Announce {
  text: string;
}

/** An admin's word to everyone. */
export interface Announcement {
  from: string;
  text: string;
}

/** Identifies a connection: a random UUID. */
export type ClientId = string;

/** What a client says of itself when it connects. */
export interface Headers {
  name: string;
  /** @default "user" */
  role?: Role;
}

/** Someone began or ceased to type. */
export interface IsTyping {
  clientId: ClientId;
  isTyping: boolean;
  roomId: string;
}

/** Someone entered a room. */
export interface Joined {
  clientId: ClientId;
  name: string;
  roomId: string;
}

/** Someone left a room, or is gone. */
export interface Left {
  clientId: ClientId;
  name: string;
  roomId: string;
}

export interface Person {
  clientId: ClientId;
  name: string;
}

export interface Post {
  roomId: string;
  text: string;
}

export interface Posted {
  id: string;
}

/** Who is in a room. */
export interface Present {
  members: number;
  who: Person[];
}

export type Role = "user" | "admin";

export interface Room {
  roomId: string;
}

/** A line of chat, as everyone in the room sees it. */
export interface Said {
  /**
   * Unix milliseconds.
   * A 64-bit integer: beyond 2^53 - 1, JSON.parse rounds it.
   */
  at: number;
  from: string;
  id: string;
  roomId: string;
  text: string;
}

export interface Typing {
  isTyping: boolean;
  roomId: string;
}

export interface WhoAmI {
  clientId: ClientId;
  name: string;
  role: Role;
}

/** The server, as a client sees it. */
export interface Client extends ClientBase {
  readonly whoami: Call<void, WhoAmI>;
  readonly admin: {
    readonly announce: Call<Announce, void>;
  };
  readonly chat: {
    readonly join: Call<Room, Present>;
    readonly leave: Call<Room, void>;
    readonly post: Call<Post, Posted>;
    readonly typing: Call<Typing, void>;
  };
  /** What the server sends: call with a listener, or iterate. */
  readonly on: {
    readonly chat: {
      /** Someone entered a room. */
      readonly joined: EventSource<Joined>;
      /** Someone left a room, or is gone. */
      readonly left: EventSource<Left>;
      /** A line of chat, as everyone in the room sees it. */
      readonly message: EventSource<Said>;
      /** Someone began or ceased to type. */
      readonly typing: EventSource<IsTyping>;
    };
    readonly system: {
      /** An admin's word to everyone. */
      readonly announcement: EventSource<Announcement>;
    };
  };
}

const CONTRACT: Contract = {
  version: "0.1.0",
  hash: "cceb32bf0b32eeb9",
  incoming: {
    "admin.announce": true,
    "chat.join": true,
    "chat.leave": true,
    "chat.post": true,
    "chat.typing": true,
    whoami: false,
  },
  outgoing: [
    "chat.joined",
    "chat.left",
    "chat.message",
    "chat.typing",
    "system.announcement",
  ],
};

// ---------------------------------------------------------------------------------------------------------------------
// The client. All above describes one app; all below is the same for every app.
// ---------------------------------------------------------------------------------------------------------------------

// What the client uses of its surroundings, declared here so that this file compiles with or without the DOM's types
// and Node's. None of it is taken for granted at run time but timers, URL and console.
declare const WebSocket: WebSocketConstructor | undefined;
declare const console: { warn(...what: unknown[]): void; error(...what: unknown[]): void };
declare const document: (EventTargetLike & { readonly visibilityState: string }) | undefined;
declare const location: { readonly href: string; readonly hostname: string } | undefined;
declare const process: { readonly env: { readonly NODE_ENV?: string } };
declare function setTimeout(run: () => void, ms: number): unknown;
declare function clearTimeout(timer: unknown): void;
declare function reportError(error: unknown): void;
declare const URL: new (url: string, base?: string) => {
  protocol: string;
  hash: string;
  readonly href: string;
  readonly searchParams: { set(name: string, value: string): void };
};
declare const TextEncoder: new () => { encode(text: string): { readonly length: number } };

interface EventTargetLike {
  addEventListener(type: string, listener: (event: { readonly type: string }) => void): void;
  removeEventListener(type: string, listener: (event: { readonly type: string }) => void): void;
}

// ---------------------------------------------------------------------------------------------------------------------
// Types
// ---------------------------------------------------------------------------------------------------------------------

/** Whether the client has a connection: `reconnecting` once there was one, `closed` when it will not try again. */
export type Status = "connecting" | "open" | "reconnecting" | "closed";

/** Called with each value. What it throws is reported and disturbs no other listener. */
export type Listener<Value> = (value: Value) => void;

/** Ends a subscription. Calling it again does nothing. */
export type Unsubscribe = () => void;

/** Codes of refusals that any procedure may answer with. */
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
export type CallResult<Output, Declared extends string = never> =
  | { readonly ok: true; readonly data: Output; readonly error: undefined }
  | { readonly ok: false; readonly data: undefined; readonly error: ZocketError<Declared> };

/** Arguments of a call: those of a route without input are the options alone. */
export type CallArguments<Input> = [Input] extends [void]
  ? [options?: CallOptions]
  : [input: Input, options?: CallOptions];

// `Call` and `EventSource` have no comments on their call signatures: editors would show those in place of the route's.

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
  onOpen(listener: Listener<{ readonly clientId: string }>): Unsubscribe;
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
type HeadersOption = {} extends Headers
  ? { readonly headers?: HeadersSource | undefined }
  : { readonly headers: HeadersSource };

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
  readonly backoff?: { readonly floor?: number | undefined; readonly cap?: number | undefined } | undefined;
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

export type Validate = (
  route: string,
  direction: "input" | "output" | "event",
  payload: unknown,
) => readonly PayloadIssue[] | undefined;

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

/** What `CONTRACT` tells the client about the app. */
interface Contract {
  /** The version of the library that the client comes from. */
  readonly version: string;
  readonly hash: string;
  /** Each route, and whether it takes an input: `client.whoami({ timeout })` can't be told from a payload otherwise. */
  readonly incoming: Readonly<Record<string, boolean>>;
  readonly outgoing: readonly string[];
}

// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------

export const ZocketError: ZocketErrorConstructor = class extends Error {
  constructor(code: string, message: string, details?: Partial<ErrorDetails>) {
    super(message);
    // Not as fields: whether `cause` overrides one of Error's depends on the `lib` that this is compiled with.
    Object.assign(this, {
      name: "ZocketError",
      code,
      issues: [],
      route: undefined,
      retryAfterMs: undefined,
      sent: undefined,
      cause: undefined,
      ...details,
    });
  }
} as unknown as ZocketErrorConstructor;

/**
 * Whether a call failed for a reason that Zocket knows: `isZocketError(error)`, or, with the codes that this procedure
 * declares, `isZocketError(client.chat.post, error)`, which is false for errors of other calls.
 */
export function isZocketError(error: unknown): error is ZocketError;
export function isZocketError<Declared extends string>(
  call: { safe(...args: never[]): Promise<CallResult<unknown, Declared>>; readonly route: string },
  error: unknown,
): error is ZocketError<Declared>;
export function isZocketError(...args: [unknown] | [call: { readonly route: string }, error: unknown]): boolean {
  const error = args[args.length - 1];
  if (!(error instanceof ZocketError)) return false;
  return args.length === 1 || error.route === args[0].route;
}

/** For what no caller could be told. */
function report(error: unknown): void {
  // Only where it means `window.onerror`: elsewhere it may end the process.
  if (typeof document !== "undefined" && typeof reportError === "function") reportError(error);
  else console.error(error);
}

const noop = (): void => {};

// ---------------------------------------------------------------------------------------------------------------------
// Listeners and events
// ---------------------------------------------------------------------------------------------------------------------

class Listeners<Value> {
  // Boxed, so that a function that is subscribed twice is called twice, and each `off` ends its own subscription.
  private readonly entries = new Set<{ readonly listener: Listener<Value> }>();

  readonly add = (listener: Listener<Value>): Unsubscribe => {
    const entry = { listener };
    this.entries.add(entry);
    return () => void this.entries.delete(entry);
  };

  /** Whether anyone was there to hear it. */
  emit(value: Value): boolean {
    // Of a copy: who subscribes meanwhile waits for the next value. Who unsubscribes meanwhile does not get this one.
    const entries = [...this.entries];
    for (const entry of entries) {
      if (!this.entries.has(entry)) continue;
      try {
        entry.listener(value);
      } catch (error) {
        report(error);
      }
    }
    return entries.length > 0;
  }
}

const MAX_BUFFERED_EVENTS = 1024;

function iterate<Payload>(
  route: string,
  events: Listeners<Payload>,
  ends: Listeners<void>,
  isClosed: boolean,
): AsyncIterator<Payload, undefined> {
  type Result = IteratorResult<Payload, undefined>;
  const arrived: Payload[] = [];
  const asked: ((result: Result) => void)[] = [];
  const end: Result = { done: true, value: undefined };
  let isDone = false;
  let overflow: ZocketError | undefined;

  const finish = (): void => {
    isDone = true;
    offEvents();
    offEnds();
    for (const resolve of asked.splice(0)) resolve(end);
  };
  const offEvents = events.add((value) => {
    const resolve = asked.shift();
    if (resolve) resolve({ done: false, value });
    else if (arrived.length < MAX_BUFFERED_EVENTS) arrived.push(value);
    else {
      overflow = new ZocketError("OVERLOADED", `more than ${MAX_BUFFERED_EVENTS} events wait for this loop`, { route });
      finish();
    }
  });
  const offEnds = ends.add(finish);
  if (isClosed) finish();

  return {
    next: async () => {
      if (arrived.length) return { done: false, value: arrived.shift() as Payload };
      const error = overflow;
      overflow = undefined;
      if (error) throw error;
      return isDone ? end : new Promise<Result>((resolve) => asked.push(resolve));
    },
    return: async () => {
      arrived.length = 0;
      overflow = undefined;
      finish();
      return end;
    },
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// Calls
// ---------------------------------------------------------------------------------------------------------------------

interface PendingCall {
  readonly route: string;
  /** The frame, encoded when the call was made: what changes in the input afterwards is not sent. */
  readonly text: string;
  resolve(output: unknown): void;
  reject(error: unknown): void;
}

/** The calls that are not answered yet, and what may end them. Knows nothing of sockets. */
class Calls {
  // Never used twice by one client, so that the answer to a call that was given up is not taken for another's.
  private lastId = 0;
  private readonly queued = new Map<number, PendingCall>();
  private readonly sent = new Map<number, PendingCall>();

  constructor(
    clock: Clock,
    options: OptionsBase,
    /** Gives a frame to the connection, or says that there is none. */
    send: (text: string) => boolean,
  ) {
    this.clock = clock;
    this.options = options;
    this.send = send;
  }
  private readonly clock: Clock;
  private readonly options: OptionsBase;
  private readonly send: (text: string) => boolean;

  /** The largest frame that the server takes, in bytes. */
  maxFrame = Infinity;

  /** `refused` is why it can't even begin. */
  start(route: string, payload: unknown, { timeout, signal }: CallOptions, refused?: ZocketError): Promise<unknown> {
    const id = ++this.lastId;
    const { timeout: usualTimeout = 10_000, maxQueued = 1000 } = this.options;
    const ms = timeout ?? usualTimeout;
    let timer: unknown;
    let settle!: Pick<PendingCall, "resolve" | "reject">;
    const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));

    const end = (): void => {
      this.queued.delete(id);
      this.sent.delete(id);
      this.clock.clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    const reject = (error: unknown): void => {
      end();
      // A forgotten call that ends with its connection, by its time or by its own signal is no unhandled rejection: it
      // would end a Node process over a typing notice. The server's refusal of it is one, or nobody would ever see it.
      if (!(error instanceof ZocketError) || error.sent) promise.catch(noop);
      settle.reject(error);
    };
    const onAbort = (): void => reject(signal?.reason ?? new Error("the call was aborted"));

    if (signal?.aborted || refused) {
      if (signal?.aborted) onAbort();
      else reject(refused);
      return promise;
    }
    let text = "";
    try {
      text = JSON.stringify({ type: route, payload, rpcId: id });
    } catch (cause) {
      reject(new ZocketError("BAD_REQUEST", `the input of ${route} is no JSON: ${String(cause)}`, { route, cause }));
      return promise;
    }
    const call: PendingCall = {
      route,
      text,
      resolve: (output) => {
        end();
        settle.resolve(output);
      },
      reject,
    };
    if (ms < 2 ** 31) {
      // Longer ones overflow in timers, and would elapse at once.
      timer = this.clock.setTimeout(() => {
        const sent = this.sent.has(id) ? "unknown" : "no";
        reject(new ZocketError("TIMEOUT", `${route} was not answered within ${ms} ms`, { route, sent }));
      }, ms);
    }
    signal?.addEventListener("abort", onAbort);
    if (!this.trySend(id, call)) {
      if (this.queued.size < maxQueued) this.queued.set(id, call);
      else reject(new ZocketError("OVERLOADED", `${maxQueued} calls wait for a connection`, { route, sent: "no" }));
    }
    return promise;
  }

  private trySend(id: number, call: PendingCall): boolean {
    if (exceeds(call.text, this.maxFrame)) {
      // The server could not even read its id, and would close the connection.
      const message = `the input of ${call.route} is larger than the ${this.maxFrame} bytes that the server takes`;
      call.reject(new ZocketError("PAYLOAD_TOO_LARGE", message, { route: call.route }));
      return true;
    }
    if (!this.send(call.text)) return false;
    this.queued.delete(id);
    this.sent.set(id, call);
    return true;
  }

  /** Sends what waits, in the order in which it was called. */
  flush(): void {
    for (const [id, call] of this.queued) if (!this.trySend(id, call)) return;
  }

  take(id: unknown): PendingCall | undefined {
    return this.sent.get(id as number);
  }

  /** The connection ended. What was not sent waits for the next, if there will be one. */
  disconnected(isFinal: boolean, why: string): void {
    const fail = (calls: Map<number, PendingCall>, sent: "no" | "unknown"): void => {
      for (const call of [...calls.values()]) {
        call.reject(new ZocketError("DISCONNECTED", `${call.route}: ${why}`, { route: call.route, sent }));
      }
    };
    fail(this.sent, "unknown");
    if (isFinal) fail(this.queued, "no");
  }
}

/** Whether a text has more bytes in UTF-8, counted only where its length leaves that open. */
function exceeds(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes);
}

// ---------------------------------------------------------------------------------------------------------------------
// The connection
// ---------------------------------------------------------------------------------------------------------------------

const SUBPROTOCOL = "zocket.v1.json";
const READY_STATE_OPEN = 1;
/** A connection that lives this long has proved itself, as has one that answered a call. */
const PROVEN_AFTER = 5000;

const realClock: Clock = {
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  random: () => Math.random(),
};

/**
 * Whether a close means "do not come back": 3500 to 3999, the app's own 4000 to 4999, and 1008, by which `on_open`
 * refuses, unless for a reason that passes. Any other is a break. So is a 1000 that was not asked for, which mobile
 * browsers give to a page that goes into the background, and so are 1002, 1007 and 1009: they end this connection, and
 * the next may do.
 */
function isFinalClose(code: number, reason: string): boolean {
  if (code === 1008) return !/^(OVERLOADED|TIMEOUT|TOO_MANY_REQUESTS|INTERNAL_SERVER_ERROR)$/.test(reason);
  return code >= 3500 && code < 5000;
}

function isDevelopment(): boolean {
  if (typeof location !== "undefined" && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(location.hostname)) return true;
  try {
    // Written out in full, for bundlers replace just this expression.
    return typeof process !== "undefined" && process.env.NODE_ENV !== "production";
  } catch {
    return false; // Deno, without the permission to read the environment.
  }
}

/** A value of which nothing is known yet; a member of anything that is no object is `undefined`. */
type Json = { readonly [member: string]: unknown };
const asObject = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});

function refusal(value: unknown, route: string | undefined): ZocketError {
  const error = asObject(value);
  return new ZocketError(String(error["code"]), String(error["message"]), {
    route,
    issues: Array.isArray(error["issues"]) ? (error["issues"] as PayloadIssue[]) : [],
    retryAfterMs: error["retryAfterMs"] as number | undefined,
  });
}

/** Gives a tree of the dotted names its leaves. Without prototypes: a segment may be called `constructor`. */
function grow(tree: Record<string, unknown>, routes: readonly string[], leaf: (route: string) => unknown): void {
  for (const route of routes) {
    const segments = route.split(".");
    const last = segments.pop() as string;
    let node = tree;
    for (const segment of segments) node = (node[segment] ??= Object.create(null)) as Record<string, unknown>;
    node[last] = leaf(route);
  }
}

/**
 * A client of the app, which connects at once and comes back by itself until it is closed.
 *
 * The URL is one of WebSocket or HTTP; pages may leave out the origin: `createClient("/ws", { headers: { … } })`.
 */
export function createClient(
  url: string | { readonly href: string },
  ...[given]: {} extends Headers ? [options?: Options] : [options: Options]
): Client {
  const contract: Contract = CONTRACT;
  const options: OptionsBase & { readonly headers?: HeadersSource | undefined } = given ?? {};
  const { clock = realClock, connectTimeout = 10_000, backoff = {} } = options;
  const { floor = 500, cap = 30_000 } = backoff;
  const validate = (options.dev ?? (options.validate && isDevelopment())) ? options.validate : undefined;

  const opens = new Listeners<{ readonly clientId: string }>();
  const closes = new Listeners<Closed>();
  const errors = new Listeners<ZocketError>();
  const statuses = new Listeners<Status>();
  const retries = new Listeners<number | undefined>();
  /** The client is closed: ends the loops over its events. */
  const ends = new Listeners<void>();
  const events = new Map(contract.outgoing.map((route) => [route, new Listeners<unknown>()]));

  let status: Status = "connecting";
  let lastError: ZocketError | undefined;
  let clientId: string | undefined;
  let retryAt: number | undefined;
  let toldRetryAt: number | undefined;
  let hasWarned = false;
  /** The present connection or the attempt at one, from its headers on. What any other still says is dropped. */
  let current: { socket?: WebSocketLike } | undefined;
  /** Of the present phase, there being one at a time: the wait, then the time limit to connect, then the proof. */
  let timer: unknown;
  /** How often connecting failed since a connection proved itself. */
  let failures = 0;
  let isWatching = false;

  const calls = new Calls(clock, options, (text) => {
    const socket = current?.socket;
    // A socket that is closing would swallow the frame.
    if (status !== "open" || socket?.readyState !== READY_STATE_OPEN) return false;
    socket.send(text);
    return true;
  });

  function setStatus(next: Status): void {
    if (status === next) return;
    status = next;
    statuses.emit(next);
    if (next === "closed") ends.emit();
  }

  /** Last of all, for a listener may do with the client what it likes. */
  function tellRetry(): void {
    if (retryAt !== toldRetryAt) retries.emit((toldRetryAt = retryAt));
  }

  /** Of what no call hears. */
  function tell(error: ZocketError): void {
    if (!errors.emit(error)) console.warn("zocket:", error);
  }

  function schedule(run: () => void, ms: number): void {
    clock.clearTimeout(timer);
    timer = clock.setTimeout(run, ms);
  }

  /** Lets go of the present connection or attempt. */
  function drop(code?: number): void {
    clock.clearTimeout(timer);
    retryAt = undefined;
    const socket = current?.socket;
    current = undefined;
    socket?.close(code);
  }

  // ------------------------------------------------------------------------------------------------------- connecting

  function address(headers: object): string {
    const page = typeof location === "undefined" ? undefined : location.href;
    const target = new URL(typeof url === "string" ? url : url.href, page);
    target.protocol = target.protocol.replace("http", "ws");
    target.hash = ""; // WebSocket takes none.
    for (const [name, value] of Object.entries(headers)) {
      if (value != null) target.searchParams.set(name, String(value));
    }
    target.searchParams.set("x-zocket-version", contract.version);
    return target.href;
  }

  /** Begins, or begins again after the client was closed. */
  function begin(): void {
    // What can never work is the caller's to hear, at once.
    address({});
    if (!options.WebSocket && typeof WebSocket === "undefined") {
      throw new Error("there is no WebSocket here: pass one as options.WebSocket, for example the package `ws`");
    }
    watch(true);
    connect();
  }

  function connect(): void {
    drop();
    const attempt: { socket?: WebSocketLike } = (current = {});
    const isPresent = (): boolean => attempt === current;
    schedule(() => lost("TIMEOUT", `no connection within ${connectTimeout} ms`), connectTimeout);
    let failure = "";

    const dial = async (): Promise<void> => {
      const headers = await (typeof options.headers === "function" ? options.headers() : options.headers);
      if (!isPresent()) return;
      const Socket = (options.WebSocket ?? WebSocket) as WebSocketConstructor;
      const socket = new Socket(address(headers ?? {}), [SUBPROTOCOL]); // Resuming offers its token here.
      attempt.socket = socket;
      socket.addEventListener("message", ({ data }) => isPresent() && receive(data));
      // Where this tells anything, which browsers never do; the close that follows counts.
      socket.addEventListener("error", ({ message }) => void (failure = message ?? ""));
      socket.addEventListener("close", ({ code = 1006, reason = "" }) => {
        if (!isPresent()) return;
        lost("DISCONNECTED", `the connection ended: ${[code, reason || failure].join(" ").trim()}`, { code, reason });
      });
    };
    dial().catch((cause: unknown) => isPresent() && lost("DISCONNECTED", `can't connect: ${String(cause)}`, { cause }));
    // Last, for a listener may close the client.
    if (status === "open") setStatus("reconnecting");
    else if (status === "closed") setStatus("connecting");
    tellRetry();
  }

  /** The connection ended, or the attempt failed, and it was not asked for. */
  function lost(code: string, message: string, by: { code?: number; reason?: string; cause?: unknown } = {}): void {
    const close = { code: by.code ?? 1006, reason: by.reason ?? "" };
    const wasOpen = status === "open";
    const isFinal = isFinalClose(close.code, close.reason);
    const error = (lastError = new ZocketError(code, message, { cause: by.cause }));
    drop();
    if (isFinal) watch(false);
    else {
      // A server that goes away or restarts loses all its clients at once: spread their return over more time.
      if (close.code === 1001 || close.code === 1012) failures = Math.max(failures, 2);
      const ceiling = Math.max(floor, Math.min(cap, floor * 2 ** ++failures));
      const wait = floor + clock.random() * (ceiling - floor);
      retryAt = Date.now() + wait;
      schedule(connect, wait);
    }
    calls.disconnected(isFinal, message);
    // Here everything is in order: listeners may do with the client what they like.
    if (isFinal) setStatus("closed");
    else if (wasOpen) setStatus("reconnecting");
    if (wasOpen) closes.emit({ ...close, final: isFinal });
    else errors.emit(error);
    tellRetry();
  }

  /** The page is back, or the network is: no reason to wait on. */
  function wake(event: { readonly type: string }): void {
    if (event.type === "visibilitychange" && document?.visibilityState !== "visible") return;
    if (!current && status !== "closed") connect();
    // An open connection is worth a heartbeat here.
  }

  function watch(on: boolean): void {
    if (on === isWatching || typeof document === "undefined") return;
    isWatching = on;
    const page = globalThis as unknown as EventTargetLike;
    for (const [target, type] of [[page, "online"], [page, "pageshow"], [document, "visibilitychange"]] as const) {
      if (on) target.addEventListener(type, wake);
      else target.removeEventListener(type, wake);
    }
  }

  // -------------------------------------------------------------------------------------------------------- receiving

  function receive(data: unknown): void {
    // Heartbeats note here that something came.
    let frame: Json;
    try {
      frame = asObject(JSON.parse(data as string));
    } catch (cause) {
      return tell(new ZocketError("PARSE_ERROR", "the server sent something that is no JSON", { cause }));
    }
    const { type, payload, rpcId } = frame as { type?: unknown; payload?: unknown; rpcId?: unknown };
    if (type === "__welcome") return welcome(asObject(payload));
    if (type === "__rpc_res" || type === "__rpc_err") {
      failures = 0;
      const call = calls.take(rpcId);
      // Given up meanwhile.
      if (!call) return;
      if (type === "__rpc_err") return call.reject(refusal(frame["error"], call.route));
      checkReceived(call.route, "output", payload);
      return call.resolve(payload);
    }
    if (type === "__error") {
      const { type: route } = asObject(payload);
      return tell(refusal(payload, typeof route === "string" ? route : undefined));
    }
    // Frames of heartbeats and resuming go here. What this client does not know, it ignores.
    const listeners = events.get(type as string);
    if (!listeners) return;
    checkReceived(type as string, "event", payload);
    listeners.emit(payload);
  }

  function welcome(payload: Json): void {
    if (status === "open") return;
    clientId = String(payload["clientId"]);
    const max = asObject(payload["limits"])["message"];
    calls.maxFrame = typeof max === "number" ? max : Infinity;
    lastError = undefined;
    schedule(() => void (failures = 0), PROVEN_AFTER); // Heartbeats begin here, too.
    const hash = payload["contract"] ?? contract.hash; // A stack composed by hand has none.
    if (hash !== contract.hash && !hasWarned && (options.dev ?? isDevelopment())) {
      hasWarned = true;
      console.warn(
        `zocket: the server's contract is ${String(hash)}, this client was generated from ` +
          `${contract.hash}: generate it again, or reload the page`,
      );
    }
    setStatus("open");
    if ((status as Status) !== "open") return; // A listener closed the client.
    opens.emit({ clientId });
    calls.flush();
  }

  function check(...[route, direction, payload]: Parameters<Validate>): ZocketError | undefined {
    let issues: readonly PayloadIssue[] | undefined;
    try {
      issues = validate?.(route, direction, payload);
    } catch (error) {
      report(error);
    }
    if (!issues?.length) return undefined;
    const message = `the ${direction} of ${route} is not what the contract says`;
    return new ZocketError(direction === "input" ? "BAD_REQUEST" : "INVALID_PAYLOAD", message, { route, issues });
  }

  function checkReceived(route: string, direction: "output" | "event", payload: unknown): void {
    const error = check(route, direction, payload);
    if (error) tell(error);
  }

  // ------------------------------------------------------------------------------------------------------- the surface

  /** Ends on purpose what is there, and says how. */
  function leave(next: () => void, reason: string, final: boolean): void {
    const wasOpen = status === "open";
    next();
    calls.disconnected(final, "the client closed the connection");
    if (final) setStatus("closed");
    if (wasOpen) closes.emit({ code: 1000, reason, final });
    tellRetry();
  }

  function call(route: string, input: unknown, callOptions: CallOptions = {}): Promise<unknown> {
    const refused =
      status === "closed"
        ? new ZocketError("CLOSED", `${route}: the client is closed`, { route, sent: "no" })
        : check(route, "input", input);
    return calls.start(route, input, callOptions, refused);
  }

  const base: ClientBase & { readonly on: Record<string, unknown> } = {
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
    on: Object.create(null) as Record<string, unknown>,
    onOpen: opens.add,
    onClose: closes.add,
    onError: errors.add,
    onStatus: statuses.add,
    onRetry: retries.add,
    close: () => {
      if (status === "closed") return;
      watch(false);
      leave(() => drop(1000), "", true);
    },
    reconnect: () => {
      if (status === "closed") failures = 0;
      leave(begin, "reconnect", false);
    },
  };
  const client = Object.create(null, Object.getOwnPropertyDescriptors(base)) as Record<string, unknown>;
  grow(client, Object.keys(contract.incoming), (route) => {
    const start = (...args: [unknown?, unknown?]): Promise<unknown> => {
      const [input, callOptions] = contract.incoming[route] ? args : [undefined, args[0]];
      return call(route, input, callOptions as CallOptions | undefined);
    };
    const safe = (...args: [unknown?, unknown?]): Promise<CallResult<unknown, string>> => {
      const result = start(...args).then(
        (data) => ({ ok: true, data, error: undefined }) as const,
        (error: unknown) => {
          if (error instanceof ZocketError) return { ok: false, data: undefined, error } as const;
          throw error;
        },
      );
      result.catch(noop); // Aborted: see `Calls.start`.
      return result;
    };
    return Object.assign(start, { safe, route });
  });
  for (const [route, listeners] of events) {
    grow(base.on, [route], () =>
      Object.assign((listener: Listener<unknown>) => listeners.add(listener), {
        route,
        [Symbol.asyncIterator]: () => iterate(route, listeners, ends, status === "closed"),
      }),
    );
  }
  if (options.autoConnect ?? true) begin();
  return client as unknown as Client;
}
