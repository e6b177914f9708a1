// ---------------------------------------------------------------------------------------------------------------------
// The client. The part above is generated for one app, and the part below is the same for every app.
// ---------------------------------------------------------------------------------------------------------------------
/** Globals that may be missing. */
const page = globalThis;
// ---------------------------------------------------------------------------------------------------------------------
// Errors
// ---------------------------------------------------------------------------------------------------------------------
export const ZocketError = class extends Error {
    constructor(code, message, details) {
        super(message);
        // Assigned, since as a field `cause` may override one of Error's, depending on the `lib` of the compilation.
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
export function isZocketError(call, error = call) {
    return error instanceof ZocketError && (error === call || error.route === call.route);
}
/** Reports an exception that has no caller to go to. */
function report(error) {
    // Only in pages, where it fires `window.onerror`. In other runtimes it may end the process.
    if (page.document && page.reportError)
        page.reportError(error);
    else
        console.error(error);
}
const noop = () => { };
// A function, as is all that follows: minifiers shorten the names of variables, but not those of members.
function createListeners() {
    // Boxed, so that a function with two subscriptions is called twice, and each `off` ends its own subscription.
    const boxes = new Set();
    return {
        add: (listener) => {
            const box = [listener];
            boxes.add(box);
            return () => void boxes.delete(box);
        },
        emit: (value) => {
            // Iterates over a copy: a listener added meanwhile gets the next value, and one removed meanwhile not even this one.
            const copy = [...boxes];
            for (const box of copy) {
                try {
                    if (boxes.has(box))
                        box[0](value);
                }
                catch (error) {
                    report(error);
                }
            }
            return copy.length > 0;
        },
    };
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
            overflow = new ZocketError("OVERLOADED", `more than ${MAX_BUFFERED_EVENTS} events wait for the loop`, { route });
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
function createCalls(clock, { timeout: usualTimeout = 10000, maxQueued = 1000 }, 
/** Sends a frame. Returns false without a connection. */
send, 
/** Called when no answer came to a call that was sent. */
onTimeout) {
    // Ids are never reused, so that the late answer to an abandoned call is not taken for another's.
    let lastId = 0;
    let limit = Infinity;
    const queued = new Map();
    const sent = new Map();
    function trySend(id, call) {
        if (exceeds(call.text, limit)) {
            // The server could not read the id of such a frame, and would close the connection.
            call.fail("PAYLOAD_TOO_LARGE", `the input of ${call.route} exceeds the server's limit of ${limit} bytes per message`);
            return true;
        }
        // Before it is sent, since a server within the process may answer, or close, during `send`.
        sent.set(id, call);
        if (!send(call.text))
            return !sent.delete(id);
        queued.delete(id);
        return true;
    }
    return {
        start: (route, payload, { timeout: ms = usualTimeout, signal }, refused) => {
            const id = ++lastId;
            let timer;
            let settle;
            const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
            const end = () => {
                queued.delete(id);
                sent.delete(id);
                clock.clearTimeout(timer);
                signal?.removeEventListener("abort", onAbort);
            };
            const reject = (error) => {
                end();
                // A call without a handler that fails by its connection, timeout or signal, or by a refusal that passes by itself,
                // is not an unhandled rejection, which would end a Node process over a typing notice. Any other refusal is one,
                // since nobody would see it.
                if (!(error instanceof ZocketError) || error.sent || TEMPORARY.test(error.code))
                    promise.catch(noop);
                settle.reject(error);
            };
            const fail = (code, message, details) => reject(new ZocketError(code, message, { route, ...details }));
            const onAbort = () => reject(signal?.reason ?? new Error(`the call of ${route} was aborted`));
            if (signal?.aborted)
                onAbort();
            else if (refused)
                reject(refused);
            else {
                let text;
                try {
                    text = JSON.stringify({ type: route, payload, rpcId: id });
                }
                catch (cause) {
                    fail("BAD_REQUEST", `the input of ${route} is not JSON: ${String(cause)}`, { cause });
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
                    fail,
                };
                if (ms < 2 ** 31) {
                    // Longer timeouts overflow the timer, which would elapse at once.
                    timer = clock.setTimeout(() => {
                        const wasSent = sent.has(id);
                        fail("TIMEOUT", `expected an answer to ${route} within ${ms} ms, got none`, { sent: wasSent ? "unknown" : "no" });
                        if (wasSent)
                            onTimeout();
                    }, ms);
                }
                signal?.addEventListener("abort", onAbort);
                if (!trySend(id, call)) {
                    if (queued.size < maxQueued)
                        queued.set(id, call);
                    else
                        fail("OVERLOADED", `${maxQueued} calls already wait for a connection`, { sent: "no" });
                }
            }
            return promise;
        },
        flush: (maxFrame) => {
            limit = maxFrame;
            for (const entry of queued)
                if (!trySend(...entry))
                    return;
        },
        take: (id) => sent.get(id),
        disconnected: (isFinal, why) => {
            for (const calls of isFinal ? [sent, queued] : [sent]) {
                for (const call of [...calls.values()]) {
                    call.fail("DISCONNECTED", `${call.route}: ${why}`, { sent: calls === sent ? "unknown" : "no" });
                }
            }
        },
    };
}
/**
 * Encodes a part of a query, of which `%..` is one byte in UTF-8. Half an emoji, which `encodeURIComponent` refuses, is
 * replaced as `URL` does.
 */
const encode = (part) => encodeURIComponent(String(part).replace(/[\ud800-\udfff]/gu, "\ufffd"));
/** Returns true if a text has more than `bytes` bytes in UTF-8. Encodes it only if its length does not decide that. */
function exceeds(text, bytes) {
    return text.length > bytes || (text.length * 3 > bytes && encode(text).replace(/%../g, "x").length > bytes);
}
// ---------------------------------------------------------------------------------------------------------------------
// The connection
// ---------------------------------------------------------------------------------------------------------------------
const SUBPROTOCOL = "zocket.v1.json";
const READY_STATE_OPEN = 1;
/** Age at which a connection counts as stable. So does a connection that has answered a call. */
const PROVEN_AFTER = 5000;
/** Silence after which the client pings, unless the welcome has the server's `heartbeatMs`. */
const PING_AFTER = 25000;
/** Bounds of the time limit for the answer to a ping. */
const PONG_WITHIN = 5000;
const MAX_PONG_WITHIN = 60000;
const VISIBILITY = "visibilitychange";
/** Delay of a timer that shows that the page or process was stopped. */
const LATE = 100;
/** Codes of refusals that pass by themselves. */
const TEMPORARY = /^(OVERLOADED|TIMEOUT|TOO_MANY_REQUESTS|INTERNAL_SERVER_ERROR)$/;
const realClock = {
    // A longer delay overflows, and would elapse at once.
    setTimeout: (run, ms) => setTimeout(run, Math.min(ms, 2 ** 31 - 1)),
    clearTimeout: (timer) => clearTimeout(timer),
    random: () => Math.random(),
};
/**
 * Returns true for a close after which the client must not reconnect: 3500 to 3999, the app's codes 4000 to 4999, and
 * 1008 from `on_open`, unless its reason is temporary. All others lead to a new attempt. These include 1000 without
 * `close()`, which mobile browsers report for a page in the background, and 1002, 1007 and 1009, which end this
 * connection only.
 */
function isFinalClose(code, reason) {
    return code === 1008 ? !TEMPORARY.test(reason) : code >= 3500 && code < 5000;
}
function isDevelopment() {
    if (/^(localhost|127\.0\.0\.1|\[::1\])$/.test(`${page.location?.hostname}`))
        return true;
    try {
        // Bundlers replace exactly this expression.
        return typeof process !== "undefined" && process.env.NODE_ENV !== "production";
    }
    catch {
        return false; // Deno without permission to read the environment.
    }
}
const asObject = (value) => (typeof value === "object" && value ? value : {});
/** Returns a positive number, or else the default. */
const positive = (value, otherwise) => (typeof value === "number" && value > 0 ? value : otherwise);
function refusal(value, route) {
    const { code, message, issues, retryAfterMs } = asObject(value);
    return new ZocketError(String(code), String(message), {
        route: typeof route === "string" ? route : undefined,
        issues: Array.isArray(issues) ? issues : [],
        retryAfterMs: retryAfterMs,
    });
}
const createTree = () => Object.create(null);
/** Adds a leaf for a dotted name to a tree. */
function grow(tree, route, leaf) {
    const segments = route.split(".");
    const last = segments.pop();
    for (const segment of segments)
        tree = (tree[segment] ?? (tree[segment] = createTree()));
    tree[last] = leaf;
}
/**
 * Creates a client of the app. It connects at once, and reconnects by itself until it is closed.
 *
 * The URL has the scheme of WebSocket or HTTP. Pages may omit the origin: `createClient("/ws", { headers: { … } })`. On a
 * server that renders pages, such a client does not connect, and its calls fail.
 */
export function createClient(url, ...[given]) {
    const contract = CONTRACT;
    const options = given ?? {};
    const { clock = realClock, connectTimeout = 10000, backoff: { floor = 500, cap = 30000 } = {} } = options;
    const validate = (options.dev ?? (options.validate && isDevelopment())) ? options.validate : undefined;
    const opens = createListeners();
    const closes = createListeners();
    const errors = createListeners();
    const statuses = createListeners();
    const retries = createListeners();
    /** Ends the loops over events when the client is closed. */
    const ends = createListeners();
    const events = new Map(contract.outgoing.map((route) => [route, createListeners()]));
    let status = "connecting";
    let lastError;
    let clientId;
    let retryAt;
    let toldRetryAt;
    let hasWarned = false;
    /** The current connection or attempt, from its headers on. Events of earlier sockets are ignored. */
    let current;
    /** Timer of the current phase: the wait, then the limit of the attempt, then the age of a stable connection. */
    let timer;
    /** Number of failed attempts since the last stable connection. */
    let failures = 0;
    /** Timer of the heartbeat: the silence, then the time limit of a ping. */
    let pulse;
    let pingAfter = PING_AFTER;
    let pongWithin = PONG_WITHIN;
    let isPinged = false;
    const calls = createCalls(clock, options, send, () => isPinged || ping());
    function send(text) {
        const socket = current?.socket;
        // A closing socket drops frames silently.
        if (status !== "open" || socket?.readyState !== READY_STATE_OPEN)
            return false;
        socket.send(text);
        return true;
    }
    function setStatus(next) {
        if (status === next)
            return;
        status = next;
        statuses.emit(next);
        if (next === "closed")
            ends.emit();
    }
    /** Calls the listeners of `onRetry`. Must come last, since a listener may change the client's state. */
    function tellRetry() {
        if (retryAt !== toldRetryAt)
            retries.emit((toldRetryAt = retryAt));
    }
    /** Reports an error that belongs to no call. */
    function tell(error) {
        if (!errors.emit(error))
            console.warn("zocket:", error);
    }
    function schedule(run, ms) {
        clock.clearTimeout(timer);
        timer = clock.setTimeout(run, ms);
    }
    /** Drops the current connection or attempt. */
    function drop(code) {
        clock.clearTimeout(timer);
        clock.clearTimeout(pulse);
        isPinged = false;
        retryAt = undefined;
        const socket = current?.socket;
        current = undefined;
        socket?.close(code);
    }
    // ------------------------------------------------------------------------------------------------------- connecting
    /** Returns the absolute URL, without headers. `undefined` for a relative one where there is no page. */
    function endpoint() {
        let target = (typeof url === "string" ? url : url.href).trim();
        if (!/^[a-z][a-z\d+.-]*:/i.test(target)) {
            const base = page.location?.href;
            if (!base)
                return undefined;
            target = new URL(target, base).href;
        }
        // `WebSocket` refuses URLs with a fragment.
        target = target.replace(/^\w+/, (scheme) => scheme.toLowerCase().replace("http", "ws")).replace(/#[^]*/, "");
        if (!/^wss?:\/\/[^\s/?]+([/?]|$)/.test(target))
            throw unusable(target);
        return target.replace(/^(\w+:\/\/[^/?]+)(\?|$)/, "$1/$2");
    }
    function unusable(target) {
        return new Error(`expected a URL like wss://example.org/ws, or a relative one in a page, got ${String(target)}`);
    }
    /** Starts connecting, also after the client was closed. */
    function begin() {
        // Invalid arguments throw at once.
        if (!endpoint())
            throw unusable(url);
        if (!options.WebSocket && !page.WebSocket) {
            throw new Error("expected a global WebSocket, found none: pass options.WebSocket, for example of the package `ws`");
        }
        watch(true);
        connect();
    }
    function connect() {
        drop();
        const attempt = (current = {});
        const isPresent = () => attempt === current;
        schedule(() => lost("TIMEOUT", `expected a connection within ${connectTimeout} ms, got none`), connectTimeout);
        let failure = "";
        const dial = async () => {
            const headers = await (typeof options.headers === "function" ? options.headers() : options.headers);
            if (!isPresent())
                return;
            const Socket = (options.WebSocket ?? page.WebSocket);
            const target = endpoint();
            const query = Object.entries({ ...headers, "x-zocket-version": contract.version })
                .filter(([, value]) => value != null)
                .map((pair) => pair.map(encode).join("="));
            // Of a repeated name, the last one counts. Resuming offers its token here.
            const socket = new Socket(target + (target.includes("?") ? "&" : "?") + query.join("&"), [SUBPROTOCOL]);
            attempt.socket = socket;
            socket.addEventListener("message", ({ data }) => isPresent() && receive(data));
            // Some runtimes describe the error here, and browsers never do. The close that follows is handled.
            socket.addEventListener("error", ({ message }) => void (failure = message ?? ""));
            socket.addEventListener("close", (event) => {
                if (!isPresent())
                    return;
                // React Native leaves both out of a failure.
                const [code, reason] = [event.code ?? 1006, event.reason ?? ""];
                lost("DISCONNECTED", `the connection ended: ${[code, reason || failure].join(" ").trim()}`, { code, reason });
            });
        };
        dial().catch((cause) => isPresent() && lost("DISCONNECTED", `can't connect: ${String(cause)}`, { cause }));
        // Must come last, since a listener may close the client.
        if (status === "open")
            setStatus("reconnecting");
        else if (status === "closed")
            setStatus("connecting");
        tellRetry();
    }
    /** Handles the unexpected end of a connection, or a failed attempt. */
    function lost(errorCode, message, { code = 1006, reason = "", cause } = {}) {
        const wasOpen = status === "open";
        const final = isFinalClose(code, reason);
        const error = (lastError = new ZocketError(errorCode, message, { cause }));
        drop();
        if (final)
            watch(false);
        else {
            // A server that shuts down or restarts loses all clients at once, so their return is spread over more time.
            if (code === 1001 || code === 1012)
                failures = Math.max(failures, 2);
            const ceiling = Math.max(floor, Math.min(cap, floor * 2 ** ++failures));
            const wait = floor + clock.random() * (ceiling - floor);
            retryAt = Date.now() + wait;
            schedule(connect, wait);
        }
        calls.disconnected(final, message);
        // The state is consistent from here on, so listeners may change it.
        if (final)
            setStatus("closed");
        else if (wasOpen)
            setStatus("reconnecting");
        if (wasOpen)
            closes.emit({ code, reason, final });
        else
            errors.emit(error);
        tellRetry();
    }
    /** Ends the wait, or checks the connection, when the page becomes visible or the network is back. */
    function wake({ type }) {
        if (type === VISIBILITY && page.document?.visibilityState !== "visible")
            return;
        if (status === "open")
            ping();
        else if (!current && status !== "closed")
            connect();
    }
    function watch(on) {
        // An event target ignores a listener that it already has.
        for (const [target, type] of [[page, "online"], [page, "pageshow"], [page.document, VISIBILITY]]) {
            target?.[on ? "addEventListener" : "removeEventListener"]?.(type, wake);
        }
    }
    // -------------------------------------------------------------------------------------------------------- heartbeat
    function pulseAfter(ms, run) {
        clock.clearTimeout(pulse);
        pulse = clock.setTimeout(run, ms);
    }
    /** Records that a frame came, and pings after the next silence. */
    function alive() {
        // Only the answer to a ping shows that the time limit suffices. Other frames are received before a slow one, too.
        if (isPinged)
            pongWithin = PONG_WITHIN;
        isPinged = false;
        pulseAfter(pingAfter, ping);
    }
    /** Sends a ping, and gives up the connection if no frame comes within the time limit. */
    function ping(isLast) {
        if (status !== "open")
            return;
        const limit = pongWithin;
        const due = Date.now() + limit;
        isPinged = true;
        pulseAfter(limit, () => {
            // A late timer: the page or process was stopped, and has not yet read what came meanwhile.
            if (!isLast && Date.now() > due + LATE)
                return ping(true);
            // Doubled, so that an answer behind a large frame on a slow link does not lead from break to break.
            pongWithin = Math.min(limit * 2, MAX_PONG_WITHIN);
            lost("DISCONNECTED", `expected an answer to a ping within ${limit} ms, got none`);
        });
        send('{"type":"__ping"}');
    }
    // -------------------------------------------------------------------------------------------------------- receiving
    function receive(data) {
        if (status === "open")
            alive();
        let frame;
        try {
            frame = asObject(JSON.parse(data));
        }
        catch (cause) {
            return tell(new ZocketError("PARSE_ERROR", "expected a JSON frame from the server, got something else", { cause }));
        }
        const { payload } = frame;
        const type = frame["type"];
        if (type === "__welcome")
            return welcome(asObject(payload));
        if (type === "__rpc_res" || type === "__rpc_err") {
            failures = 0;
            const call = calls.take(frame["rpcId"]);
            // The call was abandoned meanwhile.
            if (!call)
                return;
            if (type === "__rpc_err")
                return call.reject(refusal(frame["error"], call.route));
            checkReceived(call.route, "output", payload);
            return call.resolve(payload);
        }
        if (type === "__error")
            return tell(refusal(payload, asObject(payload)["type"]));
        // Frames of resumption belong here. Unknown types, and pongs, are ignored.
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
        lastError = undefined;
        schedule(() => void (failures = 0), PROVEN_AFTER);
        pingAfter = positive(payload["heartbeatMs"], PING_AFTER);
        alive();
        const hash = payload["contract"] ?? contract.hash; // A custom stack has none.
        if (hash !== contract.hash && !hasWarned && (options.dev ?? isDevelopment())) {
            hasWarned = true;
            console.warn(`zocket: expected a server with the contract ${contract.hash}, got ${String(hash)}: ` +
                "generate this client again, or reload the page");
        }
        setStatus("open");
        if (status !== "open")
            return; // A listener closed the client.
        opens.emit({ clientId });
        calls.flush(positive(asObject(payload["limits"])["message"], Infinity));
    }
    function check(...args) {
        let issues;
        try {
            issues = validate?.(...args);
        }
        catch (error) {
            report(error);
        }
        if (!issues?.length)
            return undefined;
        const [route, direction] = args;
        const message = `expected the ${direction} of ${route} to match its contract, got ${issues.length} issue(s)`;
        return new ZocketError(direction === "input" ? "BAD_REQUEST" : "INVALID_PAYLOAD", message, { route, issues });
    }
    function checkReceived(...args) {
        const error = check(...args);
        if (error)
            tell(error);
    }
    // ------------------------------------------------------------------------------------------------------- the surface
    /** Ends the current connection on request of the app, and reports its close. */
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
            : current || endpoint()
                ? check(route, "input", input)
                : new ZocketError("DISCONNECTED", `${route}: ${unusable(url).message}`, { route, sent: "no" });
        return calls.start(route, input, callOptions, refused);
    }
    const on = createTree();
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
        on,
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
    const client = Object.setPrototypeOf(base, null);
    for (const [route, hasInput] of Object.entries(contract.incoming)) {
        const start = (...args) => call(route, hasInput ? args.shift() : undefined, args[0]);
        const safe = (...args) => {
            const result = start(...args).then((data) => ({ ok: true, data, error: undefined }), (error) => {
                if (error instanceof ZocketError)
                    return { ok: false, data: undefined, error };
                throw error;
            });
            result.catch(noop); // An aborted signal is not an unhandled rejection: see `Calls.start`.
            return result;
        };
        grow(client, route, Object.assign(start, { safe, route }));
    }
    for (const [route, { add, emit }] of events) {
        const source = (listener) => add(listener);
        // Where the symbol is missing, Babel's loops use this name.
        const iterator = Symbol.asyncIterator ?? "@@asyncIterator";
        grow(on, route, Object.assign(source, { route, [iterator]: () => iterate(route, { add, emit }, ends, status === "closed") }));
    }
    if ((options.autoConnect ?? true) && endpoint())
        begin();
    return client;
}
