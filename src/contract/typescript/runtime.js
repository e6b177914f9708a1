// ---------------------------------------------------------------------------------------------------------------------
// The client. All above describes one app; all below is the same for every app.
// ---------------------------------------------------------------------------------------------------------------------
// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------
export const ZocketError = class extends Error {
    constructor(code, message, details) {
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
};
export function isZocketError(...args) {
    const error = args[args.length - 1];
    if (!(error instanceof ZocketError))
        return false;
    return args.length === 1 || error.route === args[0].route;
}
/** For what no caller could be told. */
function report(error) {
    // Only where it means `window.onerror`: elsewhere it may end the process.
    if (typeof document !== "undefined" && typeof reportError === "function")
        reportError(error);
    else
        console.error(error);
}
const noop = () => { };
// ---------------------------------------------------------------------------------------------------------------------
// Listeners and events
// ---------------------------------------------------------------------------------------------------------------------
class Listeners {
    constructor() {
        // Boxed, so that a function that is subscribed twice is called twice, and each `off` ends its own subscription.
        this.entries = new Set();
        this.add = (listener) => {
            const entry = { listener };
            this.entries.add(entry);
            return () => void this.entries.delete(entry);
        };
    }
    /** Whether anyone was there to hear it. */
    emit(value) {
        // Of a copy: who subscribes meanwhile waits for the next value. Who unsubscribes meanwhile does not get this one.
        const entries = [...this.entries];
        for (const entry of entries) {
            if (!this.entries.has(entry))
                continue;
            try {
                entry.listener(value);
            }
            catch (error) {
                report(error);
            }
        }
        return entries.length > 0;
    }
}
const MAX_BUFFERED_EVENTS = 1024;
function iterate(route, events, ends, isClosed) {
    const arrived = [];
    const asked = [];
    const end = { done: true, value: undefined };
    let isDone = false;
    let overflow;
    const finish = () => {
        isDone = true;
        offEvents();
        offEnds();
        for (const resolve of asked.splice(0))
            resolve(end);
    };
    const offEvents = events.add((value) => {
        const resolve = asked.shift();
        if (resolve)
            resolve({ done: false, value });
        else if (arrived.length < MAX_BUFFERED_EVENTS)
            arrived.push(value);
        else {
            overflow = new ZocketError("OVERLOADED", `more than ${MAX_BUFFERED_EVENTS} events wait for this loop`, { route });
            finish();
        }
    });
    const offEnds = ends.add(finish);
    if (isClosed)
        finish();
    return {
        next: async () => {
            if (arrived.length)
                return { done: false, value: arrived.shift() };
            const error = overflow;
            overflow = undefined;
            if (error)
                throw error;
            return isDone ? end : new Promise((resolve) => asked.push(resolve));
        },
        return: async () => {
            arrived.length = 0;
            overflow = undefined;
            finish();
            return end;
        },
    };
}
/** The calls that are not answered yet, and what may end them. Knows nothing of sockets. */
class Calls {
    constructor(clock, options, 
    /** Gives a frame to the connection, or says that there is none. */
    send) {
        // Never used twice by one client, so that the answer to a call that was given up is not taken for another's.
        this.lastId = 0;
        this.queued = new Map();
        this.sent = new Map();
        /** The largest frame that the server takes, in bytes. */
        this.maxFrame = Infinity;
        this.clock = clock;
        this.options = options;
        this.send = send;
    }
    /** `refused` is why it can't even begin. */
    start(route, payload, { timeout, signal }, refused) {
        const id = ++this.lastId;
        const { timeout: usualTimeout = 10000, maxQueued = 1000 } = this.options;
        const ms = timeout ?? usualTimeout;
        let timer;
        let settle;
        const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
        const end = () => {
            this.queued.delete(id);
            this.sent.delete(id);
            this.clock.clearTimeout(timer);
            signal?.removeEventListener("abort", onAbort);
        };
        const reject = (error) => {
            end();
            // A forgotten call that ends with its connection, by its time or by its own signal is no unhandled rejection: it
            // would end a Node process over a typing notice. The server's refusal of it is one, or nobody would ever see it.
            if (!(error instanceof ZocketError) || error.sent)
                promise.catch(noop);
            settle.reject(error);
        };
        const onAbort = () => reject(signal?.reason ?? new Error("the call was aborted"));
        if (signal?.aborted || refused) {
            if (signal?.aborted)
                onAbort();
            else
                reject(refused);
            return promise;
        }
        let text = "";
        try {
            text = JSON.stringify({ type: route, payload, rpcId: id });
        }
        catch (cause) {
            reject(new ZocketError("BAD_REQUEST", `the input of ${route} is no JSON: ${String(cause)}`, { route, cause }));
            return promise;
        }
        const call = {
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
            if (this.queued.size < maxQueued)
                this.queued.set(id, call);
            else
                reject(new ZocketError("OVERLOADED", `${maxQueued} calls wait for a connection`, { route, sent: "no" }));
        }
        return promise;
    }
    trySend(id, call) {
        if (exceeds(call.text, this.maxFrame)) {
            // The server could not even read its id, and would close the connection.
            const message = `the input of ${call.route} is larger than the ${this.maxFrame} bytes that the server takes`;
            call.reject(new ZocketError("PAYLOAD_TOO_LARGE", message, { route: call.route }));
            return true;
        }
        if (!this.send(call.text))
            return false;
        this.queued.delete(id);
        this.sent.set(id, call);
        return true;
    }
    /** Sends what waits, in the order in which it was called. */
    flush() {
        for (const [id, call] of this.queued)
            if (!this.trySend(id, call))
                return;
    }
    take(id) {
        return this.sent.get(id);
    }
    /** The connection ended. What was not sent waits for the next, if there will be one. */
    disconnected(isFinal, why) {
        const fail = (calls, sent) => {
            for (const call of [...calls.values()]) {
                call.reject(new ZocketError("DISCONNECTED", `${call.route}: ${why}`, { route: call.route, sent }));
            }
        };
        fail(this.sent, "unknown");
        if (isFinal)
            fail(this.queued, "no");
    }
}
/** Whether a text has more bytes in UTF-8, counted only where its length leaves that open. */
function exceeds(text, bytes) {
    return text.length > bytes || (text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes);
}
// ---------------------------------------------------------------------------------------------------------------------
// The connection
// ---------------------------------------------------------------------------------------------------------------------
const SUBPROTOCOL = "zocket.v1.json";
const READY_STATE_OPEN = 1;
/** A connection that lives this long has proved itself, as has one that answered a call. */
const PROVEN_AFTER = 5000;
const realClock = {
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
function isFinalClose(code, reason) {
    if (code === 1008)
        return !/^(OVERLOADED|TIMEOUT|TOO_MANY_REQUESTS|INTERNAL_SERVER_ERROR)$/.test(reason);
    return code >= 3500 && code < 5000;
}
function isDevelopment() {
    if (typeof location !== "undefined" && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(location.hostname))
        return true;
    try {
        // Written out in full, for bundlers replace just this expression.
        return typeof process !== "undefined" && process.env.NODE_ENV !== "production";
    }
    catch {
        return false; // Deno, without the permission to read the environment.
    }
}
const asObject = (value) => (typeof value === "object" && value !== null ? value : {});
function refusal(value, route) {
    const error = asObject(value);
    return new ZocketError(String(error["code"]), String(error["message"]), {
        route,
        issues: Array.isArray(error["issues"]) ? error["issues"] : [],
        retryAfterMs: error["retryAfterMs"],
    });
}
/** Gives a tree of the dotted names its leaves. Without prototypes: a segment may be called `constructor`. */
function grow(tree, routes, leaf) {
    for (const route of routes) {
        const segments = route.split(".");
        const last = segments.pop();
        let node = tree;
        for (const segment of segments)
            node = (node[segment] ?? (node[segment] = Object.create(null)));
        node[last] = leaf(route);
    }
}
/**
 * A client of the app, which connects at once and comes back by itself until it is closed.
 *
 * The URL is one of WebSocket or HTTP; pages may leave out the origin: `createClient("/ws", { headers: { … } })`.
 */
export function createClient(url, ...[given]) {
    const contract = CONTRACT;
    const options = given ?? {};
    const { clock = realClock, connectTimeout = 10000, backoff = {} } = options;
    const { floor = 500, cap = 30000 } = backoff;
    const validate = (options.dev ?? (options.validate && isDevelopment())) ? options.validate : undefined;
    const opens = new Listeners();
    const closes = new Listeners();
    const errors = new Listeners();
    const statuses = new Listeners();
    const retries = new Listeners();
    /** The client is closed: ends the loops over its events. */
    const ends = new Listeners();
    const events = new Map(contract.outgoing.map((route) => [route, new Listeners()]));
    let status = "connecting";
    let lastError;
    let clientId;
    let retryAt;
    let toldRetryAt;
    let hasWarned = false;
    /** The present connection or the attempt at one, from its headers on. What any other still says is dropped. */
    let current;
    /** Of the present phase, there being one at a time: the wait, then the time limit to connect, then the proof. */
    let timer;
    /** How often connecting failed since a connection proved itself. */
    let failures = 0;
    let isWatching = false;
    const calls = new Calls(clock, options, (text) => {
        const socket = current?.socket;
        // A socket that is closing would swallow the frame.
        if (status !== "open" || socket?.readyState !== READY_STATE_OPEN)
            return false;
        socket.send(text);
        return true;
    });
    function setStatus(next) {
        if (status === next)
            return;
        status = next;
        statuses.emit(next);
        if (next === "closed")
            ends.emit();
    }
    /** Last of all, for a listener may do with the client what it likes. */
    function tellRetry() {
        if (retryAt !== toldRetryAt)
            retries.emit((toldRetryAt = retryAt));
    }
    /** Of what no call hears. */
    function tell(error) {
        if (!errors.emit(error))
            console.warn("zocket:", error);
    }
    function schedule(run, ms) {
        clock.clearTimeout(timer);
        timer = clock.setTimeout(run, ms);
    }
    /** Lets go of the present connection or attempt. */
    function drop(code) {
        clock.clearTimeout(timer);
        retryAt = undefined;
        const socket = current?.socket;
        current = undefined;
        socket?.close(code);
    }
    // ------------------------------------------------------------------------------------------------------- connecting
    function address(headers) {
        const page = typeof location === "undefined" ? undefined : location.href;
        const target = new URL(typeof url === "string" ? url : url.href, page);
        target.protocol = target.protocol.replace("http", "ws");
        target.hash = ""; // WebSocket takes none.
        for (const [name, value] of Object.entries(headers)) {
            if (value != null)
                target.searchParams.set(name, String(value));
        }
        target.searchParams.set("x-zocket-version", contract.version);
        return target.href;
    }
    /** Begins, or begins again after the client was closed. */
    function begin() {
        // What can never work is the caller's to hear, at once.
        address({});
        if (!options.WebSocket && typeof WebSocket === "undefined") {
            throw new Error("there is no WebSocket here: pass one as options.WebSocket, for example the package `ws`");
        }
        watch(true);
        connect();
    }
    function connect() {
        drop();
        const attempt = (current = {});
        const isPresent = () => attempt === current;
        schedule(() => lost("TIMEOUT", `no connection within ${connectTimeout} ms`), connectTimeout);
        let failure = "";
        const dial = async () => {
            const headers = await (typeof options.headers === "function" ? options.headers() : options.headers);
            if (!isPresent())
                return;
            const Socket = (options.WebSocket ?? WebSocket);
            const socket = new Socket(address(headers ?? {}), [SUBPROTOCOL]); // Resuming offers its token here.
            attempt.socket = socket;
            socket.addEventListener("message", ({ data }) => isPresent() && receive(data));
            // Where this tells anything, which browsers never do; the close that follows counts.
            socket.addEventListener("error", ({ message }) => void (failure = message ?? ""));
            socket.addEventListener("close", ({ code = 1006, reason = "" }) => {
                if (!isPresent())
                    return;
                lost("DISCONNECTED", `the connection ended: ${[code, reason || failure].join(" ").trim()}`, { code, reason });
            });
        };
        dial().catch((cause) => isPresent() && lost("DISCONNECTED", `can't connect: ${String(cause)}`, { cause }));
        // Last, for a listener may close the client.
        if (status === "open")
            setStatus("reconnecting");
        else if (status === "closed")
            setStatus("connecting");
        tellRetry();
    }
    /** The connection ended, or the attempt failed, and it was not asked for. */
    function lost(code, message, by = {}) {
        const close = { code: by.code ?? 1006, reason: by.reason ?? "" };
        const wasOpen = status === "open";
        const isFinal = isFinalClose(close.code, close.reason);
        const error = (lastError = new ZocketError(code, message, { cause: by.cause }));
        drop();
        if (isFinal)
            watch(false);
        else {
            // A server that goes away or restarts loses all its clients at once: spread their return over more time.
            if (close.code === 1001 || close.code === 1012)
                failures = Math.max(failures, 2);
            const ceiling = Math.max(floor, Math.min(cap, floor * 2 ** ++failures));
            const wait = floor + clock.random() * (ceiling - floor);
            retryAt = Date.now() + wait;
            schedule(connect, wait);
        }
        calls.disconnected(isFinal, message);
        // Here everything is in order: listeners may do with the client what they like.
        if (isFinal)
            setStatus("closed");
        else if (wasOpen)
            setStatus("reconnecting");
        if (wasOpen)
            closes.emit({ ...close, final: isFinal });
        else
            errors.emit(error);
        tellRetry();
    }
    /** The page is back, or the network is: no reason to wait on. */
    function wake(event) {
        if (event.type === "visibilitychange" && document?.visibilityState !== "visible")
            return;
        if (!current && status !== "closed")
            connect();
        // An open connection is worth a heartbeat here.
    }
    function watch(on) {
        if (on === isWatching || typeof document === "undefined")
            return;
        isWatching = on;
        const page = globalThis;
        for (const [target, type] of [[page, "online"], [page, "pageshow"], [document, "visibilitychange"]]) {
            if (on)
                target.addEventListener(type, wake);
            else
                target.removeEventListener(type, wake);
        }
    }
    // -------------------------------------------------------------------------------------------------------- receiving
    function receive(data) {
        // Heartbeats note here that something came.
        let frame;
        try {
            frame = asObject(JSON.parse(data));
        }
        catch (cause) {
            return tell(new ZocketError("PARSE_ERROR", "the server sent something that is no JSON", { cause }));
        }
        const { type, payload, rpcId } = frame;
        if (type === "__welcome")
            return welcome(asObject(payload));
        if (type === "__rpc_res" || type === "__rpc_err") {
            failures = 0;
            const call = calls.take(rpcId);
            // Given up meanwhile.
            if (!call)
                return;
            if (type === "__rpc_err")
                return call.reject(refusal(frame["error"], call.route));
            checkReceived(call.route, "output", payload);
            return call.resolve(payload);
        }
        if (type === "__error") {
            const { type: route } = asObject(payload);
            return tell(refusal(payload, typeof route === "string" ? route : undefined));
        }
        // Frames of heartbeats and resuming go here. What this client does not know, it ignores.
        const listeners = events.get(type);
        if (!listeners)
            return;
        checkReceived(type, "event", payload);
        listeners.emit(payload);
    }
    function welcome(payload) {
        if (status === "open")
            return;
        clientId = String(payload["clientId"]);
        const max = asObject(payload["limits"])["message"];
        calls.maxFrame = typeof max === "number" ? max : Infinity;
        lastError = undefined;
        schedule(() => void (failures = 0), PROVEN_AFTER); // Heartbeats begin here, too.
        const hash = payload["contract"] ?? contract.hash; // A stack composed by hand has none.
        if (hash !== contract.hash && !hasWarned && (options.dev ?? isDevelopment())) {
            hasWarned = true;
            console.warn(`zocket: the server's contract is ${String(hash)}, this client was generated from ` +
                `${contract.hash}: generate it again, or reload the page`);
        }
        setStatus("open");
        if (status !== "open")
            return; // A listener closed the client.
        opens.emit({ clientId });
        calls.flush();
    }
    function check(...[route, direction, payload]) {
        let issues;
        try {
            issues = validate?.(route, direction, payload);
        }
        catch (error) {
            report(error);
        }
        if (!issues?.length)
            return undefined;
        const message = `the ${direction} of ${route} is not what the contract says`;
        return new ZocketError(direction === "input" ? "BAD_REQUEST" : "INVALID_PAYLOAD", message, { route, issues });
    }
    function checkReceived(route, direction, payload) {
        const error = check(route, direction, payload);
        if (error)
            tell(error);
    }
    // ------------------------------------------------------------------------------------------------------- the surface
    /** Ends on purpose what is there, and says how. */
    function leave(next, reason, final) {
        const wasOpen = status === "open";
        next();
        calls.disconnected(final, "the client closed the connection");
        if (final)
            setStatus("closed");
        if (wasOpen)
            closes.emit({ code: 1000, reason, final });
        tellRetry();
    }
    function call(route, input, callOptions = {}) {
        const refused = status === "closed"
            ? new ZocketError("CLOSED", `${route}: the client is closed`, { route, sent: "no" })
            : check(route, "input", input);
        return calls.start(route, input, callOptions, refused);
    }
    const base = {
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
        on: Object.create(null),
        onOpen: opens.add,
        onClose: closes.add,
        onError: errors.add,
        onStatus: statuses.add,
        onRetry: retries.add,
        close: () => {
            if (status === "closed")
                return;
            watch(false);
            leave(() => drop(1000), "", true);
        },
        reconnect: () => {
            if (status === "closed")
                failures = 0;
            leave(begin, "reconnect", false);
        },
    };
    const client = Object.create(null, Object.getOwnPropertyDescriptors(base));
    grow(client, Object.keys(contract.incoming), (route) => {
        const start = (...args) => {
            const [input, callOptions] = contract.incoming[route] ? args : [undefined, args[0]];
            return call(route, input, callOptions);
        };
        const safe = (...args) => {
            const result = start(...args).then((data) => ({ ok: true, data, error: undefined }), (error) => {
                if (error instanceof ZocketError)
                    return { ok: false, data: undefined, error };
                throw error;
            });
            result.catch(noop); // Aborted: see `Calls.start`.
            return result;
        };
        return Object.assign(start, { safe, route });
    });
    for (const [route, listeners] of events) {
        grow(base.on, [route], () => Object.assign((listener) => listeners.add(listener), {
            route,
            [Symbol.asyncIterator]: () => iterate(route, listeners, ends, status === "closed"),
        }));
    }
    if (options.autoConnect ?? true)
        begin();
    return client;
}
