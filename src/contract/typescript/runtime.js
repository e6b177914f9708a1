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
        Object.assign(this, { name: "ZocketError", code, issues: [] }, details);
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
    const finish = () => {
        isDone = true;
        offEvents();
        offEnds();
        for (const resolve of asked.splice(0))
            resolve(end);
        return end;
    };
    const offEvents = events.add((value) => {
        const result = () => ({ done: false, value });
        const resolve = asked.shift();
        if (resolve)
            resolve(result());
        else if (arrived.push(result) > MAX_BUFFERED_EVENTS) {
            arrived[MAX_BUFFERED_EVENTS] = () => {
                throw new ZocketError("OVERLOADED", `${MAX_BUFFERED_EVENTS} events already wait to be read`, { route });
            };
            finish();
        }
    });
    const offEnds = ends.add(finish);
    if (isClosed)
        finish();
    return {
        next: async () => arrived.shift()?.() ?? (isDone ? end : new Promise((resolve) => asked.push(resolve))),
        return: async () => {
            arrived.length = 0;
            return finish();
        },
    };
}
function createCalls(clock, { timeout: usualTimeout = 10000, maxQueued = 1000 }, 
/** Returns the socket of an open connection. */
openSocket, 
/** Called when no answer came to a call that was sent. */
onTimeout) {
    // Every call has an id, so that the server answers each: of a message without one, a client can't know when the server no
    // longer counts it. Ids are never reused, so that the late answer to an abandoned call is not taken for another's.
    let lastId = 0;
    let maxFrame = Infinity;
    let maxSent = Infinity;
    const queued = new Set();
    /** Every call that the server has not answered. A call that was given up is one of them, since the server counts it. */
    const sent = new Map();
    let sentBytes = 0;
    /** Counted frames of the session that are not acknowledged, in the order in which they were sent. */
    let record = [];
    let recordBytes = 0;
    /** Bytes that the record may have. 0 if the session can't be resumed. */
    let maxRecord = 0;
    /** Number of the last acknowledged frame. */
    let acknowledged = 0;
    let isFlushing = false;
    /** Sends the waiting calls in order, as long as the server takes them. */
    function flush() {
        // A server within the process answers during `send`. The loop below then goes on.
        if (isFlushing)
            return;
        isFlushing = true;
        for (const call of queued)
            if (!call.trySend())
                break;
        isFlushing = false;
    }
    /** Removes a call from those that the server has not answered. */
    function take(id) {
        const call = sent.get(id);
        if (call)
            sentBytes -= call.bytes;
        sent.delete(id);
        return call;
    }
    return {
        start: (route, payload, { timeout: ms = usualTimeout, signal }, refused) => {
            const id = ++lastId;
            let timer;
            let settle;
            const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
            const end = () => {
                queued.delete(call);
                call.text = VOID;
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
            const call = {
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
                    if (!socket || sent.size >= maxSent || (maxSent < Infinity && sentBytes >= maxFrame))
                        return false;
                    if (maxRecord) {
                        if (recordBytes >= maxRecord / 2)
                            return false;
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
            if (signal?.aborted)
                onAbort();
            else if (refused)
                reject(refused);
            else {
                try {
                    call.text = JSON.stringify({ type: route, payload, rpcId: id });
                    if (call.text.includes("null"))
                        checkNulls(payload);
                    call.bytes = sizeOf(call.text);
                }
                catch (cause) {
                    fail("BAD_REQUEST", `the input of ${route} is not JSON: ${cause}`, { cause });
                    return promise;
                }
                if (ms < 2 ** 31) {
                    // Longer timeouts overflow the timer, which would elapse at once.
                    setLimit((run) => (timer = clock.setTimeout(run, ms)), ms, () => {
                        const wasSent = sent.has(id);
                        fail("TIMEOUT", `expected an answer to ${route} within ${ms} ms, got none`, { sent: wasSent ? "unknown" : "no" });
                        if (wasSent)
                            onTimeout();
                    });
                }
                signal?.addEventListener("abort", onAbort);
                if (!call.trySend()) {
                    if (queued.size < maxQueued)
                        queued.add(call);
                    else
                        fail("OVERLOADED", `${maxQueued} calls already wait to be sent`, { sent: "no" });
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
                if (text === VOID)
                    take(id);
                send(text);
            }
            first();
            isFlushing = false;
            for (const call of waiting)
                if (queued.delete(call))
                    queued.add(call);
            flush();
        },
        answered: (id, settle) => {
            const call = take(id);
            if (!call)
                return;
            settle(call);
            flush();
        },
        acknowledged: (n) => {
            const count = n - acknowledged;
            if (!Number.isInteger(n) || n < 0 || count > record.length)
                return NaN;
            if (count > 0) {
                acknowledged += count;
                for (const { bytes } of record.splice(0, count))
                    recordBytes -= bytes + FRAME_WEIGHT;
                flush();
            }
            return count;
        },
        ended: (isFinal, why, hasAcknowledged) => {
            let unknown = 0;
            for (const calls of isFinal ? [sent, queued] : [sent]) {
                for (const call of calls.values()) {
                    const wasSent = calls === sent && !(hasAcknowledged && record.includes(call));
                    if (wasSent)
                        unknown++;
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
function checkNulls(input) {
    const paths = new Map();
    JSON.stringify(input, function (key, value) {
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
function setLimit(schedule, ms, expire) {
    // A hidden page, whose timers are up to a second late, is not stopped.
    const due = Date.now() + ms + 1000;
    schedule(() => (Date.now() > due ? schedule(expire, ms) : expire()), ms);
}
/**
 * Encodes a part of a query, of which `%..` is one byte in UTF-8. Half an emoji, which `encodeURIComponent` refuses, is
 * replaced as `URL` does.
 */
const encode = (part) => encodeURIComponent(String(part).replace(/[\ud800-\udfff]/gu, "\ufffd"));
/** Returns the bytes of a text in UTF-8. Encodes it only if it has letters beyond ASCII. */
const sizeOf = (text) => (/[^\0-~]/.test(text) ? encode(text).replace(/%../g, "x") : text).length;
// ---------------------------------------------------------------------------------------------------------------------
// The connection
// ---------------------------------------------------------------------------------------------------------------------
/** Silence after which the client pings, unless the welcome has the server's `heartbeatMs`. */
const PING_AFTER = 25000;
/** Bounds of the time limit for the answer to a ping. */
const PONG_WITHIN = 5000;
const MAX_PONG_WITHIN = 60000;
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
const realClock = {
    // A longer delay overflows, and would elapse at once.
    setTimeout: (run, ms) => setTimeout(run, Math.min(ms, 2 ** 31 - 1)),
    clearTimeout: (timer) => clearTimeout(timer),
    random: Math.random,
};
function isDevelopment() {
    if (/^(localhost|127\.0\.0\.1|\[::1\])$/.test(page.location?.hostname))
        return true;
    try {
        // Bundlers replace exactly this expression.
        return process.env.NODE_ENV !== "production";
    }
    catch {
        return false; // A page without a bundler, or Deno without permission to read the environment.
    }
}
const asObject = (value) => Object(value);
/** Returns a positive number, or else the default. */
function positive(value, otherwise) {
    return typeof value === "number" && value > 0 ? value : otherwise;
}
/** Returns a frame, or else the error that reports it. */
function parse(text) {
    try {
        return asObject(JSON.parse(text));
    }
    catch (cause) {
        return new ZocketError("PARSE_ERROR", "expected a JSON frame from the server", { cause });
    }
}
/** Returns the error in an answer, or in a frame that names the route, if any. */
function refusal(value, route) {
    const { code, message, issues = [], retryAfterMs, data, type = route } = asObject(value);
    return new ZocketError(String(code), String(message), {
        route: type,
        issues: issues,
        data,
        retryAfterMs: positive(retryAfterMs, undefined),
    });
}
const createTree = () => ({ __proto__: null });
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
    const validate = options.validate && (options.dev ?? isDevelopment()) ? options.validate : undefined;
    const opens = createListeners();
    const closes = createListeners();
    const errors = createListeners();
    const statuses = createListeners();
    const retries = createListeners();
    /** Ends the loops over events when the client is closed. */
    const ends = createListeners();
    const events = new Map();
    let status = "connecting";
    let lastError;
    let clientId;
    let retryAt;
    let toldRetryAt;
    let hasWarned = false;
    /** The current connection or attempt, from its headers on. Events of earlier sockets are ignored. */
    let current;
    /** True from the current connection's welcome on. */
    let isWelcome = false;
    let Socket;
    /** Timer of the current phase: the wait, then the limit of the attempt, then the age of a stable connection. */
    let timer;
    /** Exponent of the longest wait for the next attempt. */
    let step = 1;
    /** Timer of the heartbeat: the silence, then the time limit of a ping. */
    let pulse;
    let pingAfter = PING_AFTER;
    let pongWithin = PONG_WITHIN;
    let isPinged = false;
    /** Reason of the refused handshake whose Close comes next. */
    let refused;
    let mayRenew = true;
    /** The token by which the session can be resumed. It must not be stored: a copied page would take over the session. */
    let token;
    let resumed = false;
    /** The session that has ended since the last `onOpen`. */
    let lostSession;
    /** Number of the last counted frame of the session. */
    let received = 0;
    /** Bytes of those that were not acknowledged, and when the acknowledgement is due, as of `Date.now()`. */
    let untold = 0;
    let ackAt = 0;
    let ackAfter = 0;
    let ackTimer;
    let maxUntold = 0;
    /** Timer of the time for which the server keeps the session of a broken connection. */
    let parking;
    let parkedFor = 0;
    let isOverdue = false;
    const calls = createCalls(clock, options, openSocket, () => isPinged || ping());
    function openSocket() {
        const socket = current?.socket;
        // A socket that is not OPEN drops frames silently.
        return status === "open" && socket?.readyState === 1 ? socket : undefined;
    }
    function send(text) {
        current?.socket?.send(text);
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
    /** Closes the connection in such a way that the server ends its session. */
    function bye() {
        current?.socket?.close(1000, "bye");
    }
    /** Drops the current connection or attempt. The server keeps its session. */
    function drop() {
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
    function park() {
        clock.clearTimeout(parking);
        parking = clock.setTimeout(() => {
            // A handshake that is under way holds the session.
            isOverdue = !!current?.socket;
            if (!isOverdue)
                endSession(false, "the session has ended");
        }, parkedFor);
    }
    /** Settles what belongs to the session, and forgets it. A new one begins with the next welcome. */
    function endSession(isFinal, why, hasAcknowledged = false) {
        clock.clearTimeout(parking);
        const unknown = calls.ended(isFinal, why, hasAcknowledged);
        if (clientId)
            lostSession ?? (lostSession = { clientId, calls: unknown });
        isOverdue = false;
        token = undefined;
        received = 0;
    }
    /** Counts a frame of a session that can be resumed. */
    function count(text) {
        received++;
        const isFirst = !untold;
        // At least the bytes of the text in UTF-8.
        untold += text.length * (/[^\0-~]/.test(text) ? 3 : 1) + FRAME_WEIGHT;
        if (isFirst) {
            ackAt = Date.now() + ackAfter;
            ackTimer = clock.setTimeout(acknowledge, ackAfter);
        }
        // Timers of a hidden page are late.
        if (untold > maxUntold || Date.now() >= ackAt)
            acknowledge();
    }
    function acknowledge() {
        clock.clearTimeout(ackTimer);
        untold = 0;
        send(`{"type":"__ack","payload":${received}}`);
    }
    /** Ends a session whose server has acknowledged frames that were never sent. */
    function fault() {
        token = undefined;
        bye();
        lost("DISCONNECTED", "the server acknowledged what was not sent");
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
        // Without the fragment, which `WebSocket` refuses.
        const [found, secure = "", host, port = 0, rest = ""] = /^(?:ws|http)(s?):\/\/([^\s/?#]+?(?::(\d+))?)(?![^/?#])([^#]*)/i.exec(target) ?? [];
        if (!found || +port > 65535)
            throw unusable(target);
        return `ws${secure.toLowerCase()}://${host}${rest[0] === "/" ? "" : "/"}${rest}`;
    }
    function unusable(target) {
        return new Error(`expected a URL like wss://example.org/ws, or a relative one in a page, got ${target}`);
    }
    /** Starts connecting, also after the client was closed. */
    function begin() {
        // Invalid arguments throw at once.
        if (!endpoint())
            throw unusable(url);
        Socket = options.WebSocket ?? page.WebSocket;
        if (!Socket)
            throw new Error("expected a global WebSocket or options.WebSocket, such as the package `ws`");
        watch(true);
        connect();
    }
    function connect() {
        drop();
        const attempt = (current = {});
        const isPresent = () => attempt === current;
        setLimit(schedule, connectTimeout, () => lost("TIMEOUT", `expected a connection within ${connectTimeout} ms, got none`));
        let failure = "";
        let code = ABNORMAL;
        const dial = async () => {
            const headers = await (typeof options.headers === "function" ? options.headers() : options.headers);
            if (!isPresent())
                return;
            // From here on only the constructor throws: for arguments that no attempt changes, or if the page may not connect. The
            // code makes that final. It is not reported, since no connection was open.
            code = 3500;
            let target = endpoint();
            // Of a repeated name, the last one counts.
            for (const [name, value] of Object.entries({ ...headers, "x-zocket-version": contract.version })) {
                if (value != null)
                    target += `${target.includes("?") ? "&" : "?"}${encode(name)}=${encode(value)}`;
            }
            // The codec, and what the client understands beside it: the reasons of refused handshakes, a bound of calls, and
            // sessions that outlive connections. From here on nothing is taken from older sockets, so `received` holds.
            const resume = token ? `zocket.resume.${token}.${received}` : "zocket.resume";
            const socket = new Socket(target, ["zocket.v1.json", "zocket.refusals", "zocket.flow", resume]);
            attempt.socket = socket;
            socket.addEventListener("message", ({ data }) => isPresent() && receive(data));
            // Some runtimes describe the error here, and browsers never do. The close that follows is handled.
            socket.addEventListener("error", (event) => void (failure = event.message ?? ""));
            socket.addEventListener("close", (event) => {
                if (!isPresent())
                    return;
                // React Native leaves both out of a failure.
                code = event.code ?? ABNORMAL;
                lost("DISCONNECTED", `the connection ended: ${code} ${event.reason || failure}`.trim(), code, event.reason ?? "");
            });
        };
        dial().catch((cause) => isPresent() && lost("DISCONNECTED", `can't connect: ${cause}`, code, "", cause));
        // Must come last, since a listener may close the client.
        if (status === "open")
            setStatus("reconnecting");
        else if (status === "closed")
            setStatus("connecting");
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
    function lost(errorCode, message, code = ABNORMAL, reason = "", cause) {
        const wasOpen = status === "open";
        const wasWelcome = isWelcome;
        // After a 401, one attempt with fresh headers precedes giving up.
        mayRenew = !(mayRenew && code === 3601 && typeof options.headers === "function");
        const isBreak = token && (code < 3000 ? !WORD.test(reason) : /^3(004|501|[1267])/.test(`${code}`));
        const final = mayRenew && (code === 1008 ? !TEMPORARY.test(reason) : code >= 3500 && !(isBreak && code === REPLACED));
        const error = (lastError = refused ?? new ZocketError(errorCode, message, { cause }));
        drop();
        if (final)
            watch(false);
        else {
            // A server that shuts down or restarts loses all clients at once, so their return is spread over more time.
            if (code === 1001 || code === 1012)
                step = Math.max(step, 3);
            const ceiling = Math.max(floor, Math.min(cap, floor * 2 ** step++));
            const wait = Math.max(floor, error.retryAfterMs ?? 0) + clock.random() * (ceiling - floor);
            retryAt = Date.now() + wait;
            schedule(connect, wait);
        }
        if (final || isOverdue || !isBreak) {
            // The server acknowledges before it closes, and begins nothing after that.
            endSession(final, error.message || error.code, wasWelcome && !isBreak && code !== ABNORMAL);
        }
        else if (wasWelcome)
            park();
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
    /**
     * Ends a wait of its own, or checks the connection, when the page becomes visible or the network is back. An attempt
     * begins anew with the network, since it may wait for one that is gone. Leaves with the page, unless the browser may
     * show it again.
     */
    function wake({ type, persisted }) {
        const isOpen = status === "open";
        if (type === "pagehide") {
            if (!persisted)
                bye();
            // The browser would keep the connection of a page in its cache, and so its place in rooms, for minutes.
            else if (isOpen)
                lost("DISCONNECTED", "the client closed the connection");
        }
        else if (type !== "visibilitychange" || page.document?.visibilityState === "visible") {
            if (isOpen)
                ping();
            else if (!lastError?.retryAfterMs && (!current || type === "online"))
                connect();
        }
    }
    function watch(on) {
        // An event target ignores a listener that it already has.
        const method = on ? "addEventListener" : "removeEventListener";
        page[method]?.("online", wake);
        page[method]?.("pageshow", wake);
        page[method]?.("pagehide", wake);
        page.document?.[method]?.("visibilitychange", wake);
    }
    // -------------------------------------------------------------------------------------------------------- heartbeat
    function schedulePulse(run, ms) {
        clock.clearTimeout(pulse);
        pulse = clock.setTimeout(run, ms);
    }
    /** Records that a frame came, and pings after the next silence. */
    function alive() {
        // Only the answer to a ping shows that the time limit suffices. Other frames are received before a slow one, too.
        if (isPinged)
            pongWithin = PONG_WITHIN;
        isPinged = false;
        schedulePulse(ping, pingAfter);
    }
    /** Sends a ping, and gives up the connection if no frame comes within the time limit. */
    function ping() {
        if (status !== "open")
            return;
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
    function receive(data) {
        if (status === "open")
            alive();
        const frame = parse(data);
        const { payload } = frame;
        const type = frame["type"];
        // Before it is handled, since a listener may reconnect.
        if (token && isWelcome && !/^__(welcome|p[io]ng|ack)$/.test(type))
            count(String(data));
        if (frame instanceof ZocketError)
            return tell(frame);
        if (type === "__welcome")
            return welcome(asObject(payload));
        if (type === "__ack")
            return token && isNaN(calls.acknowledged(payload)) ? fault() : undefined;
        if (type === "__rpc_res" || type === "__rpc_err") {
            step = Math.min(step, 1);
            return calls.answered(frame["rpcId"], (call) => {
                if (type === "__rpc_err") {
                    const error = refusal(frame["error"], call.route);
                    if (error.data !== undefined)
                        checkReceived(call.route, "refusal", error.data, error.code);
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
        if (!listeners)
            return;
        checkReceived(type, "event", payload);
        listeners.emit(payload);
    }
    function welcome(payload) {
        if (isWelcome)
            return;
        // A server that has ended the session for this handshake says what has arrived, and begins nothing after that.
        if (payload["resumed"] !== true)
            endSession(false, "the session has ended", calls.acknowledged(payload["ended"]) >= 0);
        // Nor can a session go on that the client does not have.
        else if (!token || !(calls.acknowledged(payload["received"]) >= 0))
            return fault();
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
            console.warn(`zocket: expected a server with the contract ${contract.hash}, got ${hash}: ` +
                "generate this client again, or reload the page");
        }
        const limits = asObject(payload["limits"]);
        const session = payload["session"];
        token = [].concat(payload["features"]).includes("resume") && WORD.test(session) ? session : undefined;
        ackAfter = positive(payload["ackMs"], 1000);
        parkedFor = positive(payload["parkedMs"], 30000);
        const record = positive(limits["record"], Infinity);
        maxUntold = record / 4;
        // At once, since this shows that the token has arrived: without that, the server does not keep the session.
        if (token)
            acknowledge();
        calls.connected(limits, token ? record : 0, send, () => {
            // A server within the process may close during `send`.
            if (!isWelcome)
                return;
            clock.clearTimeout(parking);
            isOverdue = false;
            const opened = { clientId: clientId, resumed, lost: lostSession };
            lostSession = undefined;
            setStatus("open");
            // A listener may have closed the client.
            if (status === "open")
                opens.emit(opened);
        });
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
        const [route, direction, , code] = args;
        const message = `expected the ${direction}${code ? ` ${code}` : ""} of ${route} to match its contract, got ${issues.length} issue(s)`;
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
        if (final || !token)
            endSession(final, "the client closed the connection");
        else if (wasOpen)
            park();
        if (final)
            setStatus("closed");
        if (wasOpen)
            closes.emit({ code: 1000, reason, final });
        tellRetry();
    }
    function call(route, input, callOptions = {}) {
        const isClosed = status === "closed";
        const why = isClosed ? "the client is closed" : !current && !endpoint() && unusable(url).message;
        const refused = why
            ? new ZocketError(isClosed ? "CLOSED" : "DISCONNECTED", `${route}: ${why}`, { route, sent: "no" })
            : check(route, "input", input);
        return calls.start(route, input, callOptions, refused);
    }
    const on = createTree();
    const client = {
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
            if (status === "closed")
                return;
            watch(false);
            leave(() => {
                bye();
                drop();
            }, "", true);
        },
        reconnect: () => {
            if (status === "closed")
                step = 1;
            leave(begin, "reconnect", false);
        },
    };
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
    for (const route of contract.outgoing) {
        const listeners = createListeners();
        events.set(route, listeners);
        // Where the symbol is missing, Babel's loops use this name.
        const iterator = Symbol.asyncIterator ?? "@@asyncIterator";
        const source = { route, [iterator]: () => iterate(route, listeners, ends, status === "closed") };
        grow(on, route, Object.assign(listeners.add, source));
    }
    if ((options.autoConnect ?? true) && endpoint())
        begin();
    return client;
}
