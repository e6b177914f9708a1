// The client where only WebSocket, timers and the language itself exist, as in React Native.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { FakeClock, fakeWebSocket, settled, source } from "./support.mjs";

/** React Native's `URL`, whose members are getters that throw or return parts of the text. */
class NativeURL {
  #url;
  constructor(url, base) {
    this.#url = base ? base + url : url;
  }
  get href() { return this.#url; }
  get protocol() { throw new Error("URL.protocol is not implemented"); }
  get hash() { throw new Error("URL.hash is not implemented"); }
  get searchParams() { throw new Error("URL.searchParams is not implemented"); }
  toString() { return this.#url; }
}

/** Returns the client's module in a realm that has no global but these. */
function realm(globals = {}) {
  const context = createContext({ console, setTimeout, clearTimeout, ...globals });
  return runInContext(`(() => { ${source().replace(/^export (?!\{)/gm, "").replace(/^export \{[^}]*\};?$/gm, "")}
    return { createClient, ZocketError, isZocketError }; })()`, context);
}

async function opened(zocket, url = "wss://server/ws", options = {}, WebSocket = fakeWebSocket()) {
  const clock = new FakeClock();
  const client = zocket.createClient(url, { headers: { name: "Ann" }, clock, WebSocket, ...options });
  await settled();
  WebSocket.last.welcome();
  return { client, clock, WebSocket, socket: WebSocket.last };
}

describe("without URL, URLSearchParams, TextEncoder, AbortSignal and document", () => {
  for (const [what, globals] of [
    ["nothing else", {}],
    ["React Native's URL", { URL: NativeURL }],
    ["shims of document and location", { URL: NativeURL, document: {}, location: {}, navigator: { product: "ReactNative" } }],
    ["empty shims", { URL: undefined, document: undefined, location: null, window: {} }],
  ]) {
    test(`with ${what}, it connects, calls and closes`, async () => {
      const { client, socket } = await opened(realm(globals));
      assert.equal(socket.url.href, "wss://server/ws?name=Ann&x-zocket-version=0.1.0");
      const asked = client.whoami();
      socket.answer({ name: "Ann" });
      assert.equal((await asked).name, "Ann");
      client.close();
    });
  }

  test("a URL object is read by its href alone", async () => {
    const { socket, client } = await opened(realm({ URL: NativeURL }), new NativeURL("https://server/ws"));
    assert.equal(socket.url.href, "wss://server/ws?name=Ann&x-zocket-version=0.1.0");
    client.close();
  });

  test("the global WebSocket is used", async () => {
    const WebSocket = fakeWebSocket();
    const { client } = await opened(realm({ WebSocket }), undefined, { WebSocket: undefined }, WebSocket);
    assert.equal(client.status, "open");
    client.close();
  });

  test("the size of a frame is counted in UTF-8", async () => {
    const around = JSON.stringify({ type: "chat.post", payload: { text: "" }, rpcId: 1 }).length;
    for (const [letter, bytes] of [["e", 1], ["é", 2], ["€", 3], ["😀", 4]]) {
      for (const [rest, fits] of [[0, true], [1, false]]) {
        const { client, socket } = await opened(realm());
        const count = Math.floor((1024 - around) / bytes);
        const text = letter.repeat(count) + "e".repeat(1024 - around - count * bytes + rest);
        const posted = client.chat.post({ text });
        posted.catch(() => {});
        if (fits) {
          assert.equal(Buffer.byteLength(JSON.stringify(socket.sent[0])), 1024);
        } else {
          assert.equal((await posted.catch((error) => error)).code, "PAYLOAD_TOO_LARGE");
          assert.equal(socket.sent.length, 0);
        }
        client.close();
      }
    }
  });

  test("a signal without a reason, as React Native's, rejects the call", async () => {
    const { client } = await opened(realm());
    const listeners = new Set();
    const signal = { aborted: false, addEventListener: (_, run) => listeners.add(run), removeEventListener: (_, run) => listeners.delete(run) };
    const asked = client.whoami({ signal });
    for (const run of listeners) run();
    await assert.rejects(asked, /aborted/);
    assert.equal(listeners.size, 0);
    client.close();
  });

  test("a close without code and reason leads to a reconnect", async () => {
    for (const close of [{}, { code: null, reason: null }, { code: undefined, reason: undefined, message: "Software caused connection abort" }]) {
      const { client, socket } = await opened(realm());
      const closes = [];
      client.onClose(({ code, reason, final }) => closes.push([code, reason, final]));
      socket.dispatchEvent(Object.assign(new Event("close"), close));
      assert.deepEqual(closes, [[1006, "", false]]);
      client.close();
    }
  });

  test("a realm without Symbol.asyncIterator has the loops that Babel compiles for it", async () => {
    const { client, socket } = await opened(realm({ Symbol: Object.assign(() => {}, { iterator: Symbol.iterator, asyncIterator: undefined }) }));
    const events = client.on.chat.message["@@asyncIterator"]();
    socket.receive({ type: "chat.message", payload: 1 });
    assert.equal((await events.next()).value, 1);
    client.close();
  });
});

describe("the URL", () => {
  for (const [given, expected] of [
    ["ws://a", "ws://a/?"], ["ws://a?x=1", "ws://a/?x=1&"], ["WSS://a/ws", "wss://a/ws?"], ["HTTPS://a/ws", "wss://a/ws?"],
    ["ws://a/ws?", "ws://a/ws?&"], ["ws://a/ws#?x", "ws://a/ws?"], [" ws://a/ws ", "ws://a/ws?"], ["ws://[::1]:80/ws", "ws://[::1]:80/ws?"],
    ["ws://u:p@a/http://b", "ws://u:p@a/http://b?"],
  ]) {
    test(`${given} is dialled as ${expected}…`, async () => {
      const dialled = [];
      class Recorded extends fakeWebSocket() {
        constructor(url, protocols) {
          super(url, protocols);
          dialled.push(url);
        }
      }
      const client = realm().createClient(given, { headers: { name: "n" }, clock: new FakeClock(), WebSocket: Recorded });
      await settled();
      assert.deepEqual(dialled, [`${expected}name=n&x-zocket-version=0.1.0`]);
      client.close();
    });
  }

  test("carries any text in its query", async () => {
    const name = "a b&c=d#e?f+g%h'()é😀\u0000";
    const { socket, client } = await opened(realm(), undefined, { headers: { name, "x y": "é", broken: "\ud83d!" } });
    assert.deepEqual([...socket.url.searchParams].slice(0, 3), [["name", name], ["x y", "é"], ["broken", "\ufffd!"]]);
    client.close();
  });

  for (const url of ["localhost:3000/ws", "ftp://a/ws", "ws:", "ws://", "ws:///ws", "ws://?x", "wss://exa mple/ws", "ws:/a", "javascript:0"]) {
    test(`${url} throws at once, since it can never work`, () => {
      const WebSocket = fakeWebSocket();
      assert.throws(() => realm().createClient(url, { headers: { name: "n" }, WebSocket }), /expected a URL like wss:/);
      assert.equal(WebSocket.all.length, 0);
    });
  }
});

describe("where there is no page, as on a rendering server", () => {
  const relative = ["/ws", "ws", "../ws?x=1", "//host/ws", "", "?room=1"];

  for (const url of relative) {
    test(`createClient(${JSON.stringify(url)}) neither throws nor connects`, async () => {
      let asked = 0;
      const WebSocket = fakeWebSocket();
      const clock = new FakeClock();
      for (const options of [{ WebSocket }, {}]) {
        const client = realm({ WebSocket: undefined }).createClient(url, { headers: () => (asked++, { name: "n" }), clock, ...options });
        await settled();
        assert.equal(client.status, "connecting");
        assert.equal(client.lastError, undefined);
        client.on.chat.message(() => {});
        client.close();
      }
      assert.deepEqual([WebSocket.all.length, asked, clock.timers.size], [0, 0, 0]);
    });
  }

  test("a call fails at once instead of waiting for a page, and holds no timer", async () => {
    const clock = new FakeClock();
    const client = realm().createClient("/ws", { headers: { name: "n" }, clock });
    const error = await client.whoami().catch((error) => error);
    assert.deepEqual([error.code, error.sent, error.route], ["DISCONNECTED", "no", "whoami"]);
    assert.match(error.message, /page/);
    assert.equal((await client.whoami.safe()).error.code, "DISCONNECTED");
    assert.equal(clock.timers.size, 0);
  });

  test("reconnect() says what is missing", () => {
    const client = realm().createClient("/ws", { headers: { name: "n" }, WebSocket: fakeWebSocket() });
    assert.throws(() => client.reconnect(), /expected a URL like wss:.*got \/ws/);
  });

  for (const url of relative) {
    test(`the same module dials ${JSON.stringify(url)} in a page`, async () => {
      const WebSocket = fakeWebSocket();
      const location = { href: "https://app.example/chat/?q#f", hostname: "app.example" };
      const zocket = realm({ WebSocket, URL, location });
      zocket.createClient(url, { headers: { name: "n" }, clock: new FakeClock() });
      await settled();
      const expected = new URL(new URL(url, location.href).href.replace(/^http/, "ws"));
      const { protocol, host, pathname, searchParams } = WebSocket.last.url;
      assert.deepEqual([protocol, host, pathname], [expected.protocol, expected.host, expected.pathname]);
      assert.equal(searchParams.get("name"), "n");
      for (const [name, value] of expected.searchParams) assert.equal(searchParams.get(name), value);
    });
  }

  test("a page whose own URL is no base for one throws at once", () => {
    for (const href of ["file:///index.html", "capacitor://localhost/", "about:srcdoc"]) {
      const zocket = realm({ URL, location: { href, hostname: "" } });
      assert.throws(() => zocket.createClient("/ws", { headers: { name: "n" }, WebSocket: fakeWebSocket() }), /URL/);
    }
  });
});
