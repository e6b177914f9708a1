// A clock that the test advances, and a WebSocket whose server the test plays.

/** Runs all pending microtasks. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

export class FakeClock {
  now = 0;
  waits = [];
  timers = new Map();
  nextRandom = 0;
  #lastId = 0;
  setTimeout(run, ms) {
    this.timers.set(++this.#lastId, { run, at: this.now + ms, ms });
    return this.#lastId;
  }
  clearTimeout(id) {
    this.timers.delete(id);
  }
  random() {
    return this.nextRandom;
  }
  /** Advances the time, and runs due timers in order. */
  async advance(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      const [id, { at, run }] = due;
      this.now = at;
      this.timers.delete(id);
      run();
      await settled();
    }
    this.now = end;
    await settled();
  }
}

/** Returns a class of WebSockets that records its instances. */
export function fakeWebSocket() {
  return class FakeWebSocket extends EventTarget {
    static all = [];
    static get last() {
      return this.all.at(-1);
    }
    readyState = 0;
    sent = [];
    closedWith = undefined;
    constructor(url, protocols) {
      super();
      this.url = new URL(url);
      this.protocols = protocols;
      FakeWebSocket.all.push(this);
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    close(code, reason) {
      this.closedWith ??= { code, reason };
      this.readyState = 2;
    }
    // Methods of the server's side:
    receive(frame) {
      this.receiveText(JSON.stringify(frame));
    }
    receiveText(data) {
      this.dispatchEvent(Object.assign(new Event("message"), { data }));
    }
    welcome({ clientId = "c1", contract = "9f2c64", limits = { message: 1024 }, heartbeatMs, ...more } = {}) {
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
      this.receive({ type: "__welcome", payload: { clientId, contract, limits, heartbeatMs, ...more } });
    }
    /** Refuses the handshake, with the frame that says why. */
    refuse(code, close, details) {
      this.readyState = 1;
      this.dispatchEvent(new Event("open"));
      this.receive({ type: "__error", payload: { code, message: "", ...details } });
      this.end(close, code);
    }
    answer(payload, rpcId = this.sent.at(-1).rpcId) {
      this.receive({ type: "__rpc_res", payload, rpcId });
    }
    end(code, reason = "") {
      this.readyState = 3;
      this.dispatchEvent(Object.assign(new Event("close"), { code, reason }));
    }
  };
}

/** Returns a client on a fake clock and a fake WebSocket. `opened` returns a connected one. */
export async function client(zocket, options = {}, url = "ws://server/ws") {
  const clock = new FakeClock();
  const WebSocket = fakeWebSocket();
  const made = zocket.createClient(url, { headers: { name: "Ann" }, dev: false, clock, WebSocket, ...options });
  await settled();
  return { client: made, clock, WebSocket, get socket() { return WebSocket.last; } };
}

export async function opened(zocket, options, welcome) {
  const it = await client(zocket, options);
  it.socket.welcome(welcome);
  await settled();
  return it;
}

/** Returns the state of a promise without waiting for it. */
export function outcome(promise) {
  const seen = { state: "pending" };
  promise.then(
    (value) => Object.assign(seen, { state: "fulfilled", value }),
    (error) => Object.assign(seen, { state: "rejected", error }),
  );
  return seen;
}

/** Replaces a member for one test. */
export function replace(t, object, name, value) {
  const had = Object.getOwnPropertyDescriptor(object, name);
  Object.defineProperty(object, name, { value, configurable: true, writable: true, enumerable: true });
  t.after(() => (had ? Object.defineProperty(object, name, had) : delete object[name]));
  return value;
}

/** A page with the events that wake a client. */
export function page(t) {
  const window = new EventTarget();
  for (const name of ["addEventListener", "removeEventListener"]) replace(t, globalThis, name, window[name].bind(window));
  const document = replace(t, globalThis, "document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
  return { window, document };
}

/** Collects the arguments of `console[method]`. */
export function consoleOf(t, method) {
  const lines = [];
  replace(t, console, method, (...what) => lines.push(what));
  return lines;
}

/** Collects unhandled rejections, which would end the process. */
export function unhandledRejections(t) {
  const seen = [];
  const listener = (error) => seen.push(error);
  process.on("unhandledRejection", listener);
  t.after(() => process.off("unhandledRejection", listener));
  return seen;
}
