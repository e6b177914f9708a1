// Refused handshakes: WebSockets hide the status of an answer, so the server accepts, says why in a frame, and closes.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { client as connecting, load, opened, outcome, page, replace, settled } from "./support.mjs";

const zocket = await load();
const fresh = { headers: () => ({ name: "Ann" }) };

/** Returns the wait for the next attempt. */
const wait = ({ clock }) => [...clock.timers.values()][0]?.ms;

describe("a refused handshake", () => {
  test("gives lastError and onError the server's code, message, issues and time to wait", async () => {
    const it = await connecting(zocket);
    const told = [];
    it.client.onError((error) => told.push(error));
    const issues = [{ path: ["name"], code: "required", message: "expected a name" }];
    it.socket.refuse("BAD_REQUEST", 3600, { message: "Invalid headers", issues, retryAfterMs: 40 });
    const { lastError } = it.client;
    assert.deepEqual(told, [lastError]);
    assert.ok(zocket.isZocketError(lastError));
    assert.deepEqual(
      [lastError.code, lastError.message, lastError.issues, lastError.retryAfterMs, lastError.route],
      ["BAD_REQUEST", "Invalid headers", issues, 40, undefined],
    );
  });

  for (const [code, close] of [["BAD_REQUEST", 3600], ["UNAUTHORIZED", 3601], ["FORBIDDEN", 3603], ["ROOM_GONE", 3799]]) {
    test(`with ${close} is final`, async () => {
      const it = await connecting(zocket);
      const told = [];
      it.client.onError((error) => told.push([error.code, it.client.status]));
      it.client.onClose(() => assert.fail("nothing was open"));
      const asked = outcome(it.client.whoami());
      it.socket.refuse(code, close, { message: "no entry" });
      await it.clock.advance(1e6);
      assert.equal(it.client.status, "closed");
      assert.equal(it.client.retryAt, undefined);
      assert.equal(it.WebSocket.all.length, 1);
      assert.deepEqual(told, [[code, "closed"]]);
      assert.deepEqual([asked.error.code, asked.error.sent, asked.error.message], ["DISCONNECTED", "no", "whoami: no entry"]);
    });
  }

  test("without a message, as a page of another origin is told, leaves the code to the calls", async () => {
    const it = await connecting(zocket);
    const asked = outcome(it.client.whoami());
    it.socket.refuse("FORBIDDEN", 3603, { message: "" });
    await settled();
    assert.deepEqual([it.client.lastError.code, asked.error.message], ["FORBIDDEN", "whoami: FORBIDDEN"]);
  });

  for (const [code, close] of [["TIMEOUT", 3108], ["TOO_MANY_REQUESTS", 3129], ["INTERNAL_SERVER_ERROR", 3200], ["OVERLOADED", 3203], ["X", 3299]]) {
    test(`with ${close} leads to another attempt`, async () => {
      const it = await connecting(zocket);
      const asked = outcome(it.client.whoami());
      it.socket.refuse(code, close);
      assert.equal(it.client.status, "connecting");
      assert.equal(it.client.lastError.code, code);
      await it.clock.advance(500);
      it.socket.welcome();
      assert.equal(it.client.lastError, undefined);
      it.socket.answer({ name: "Ann" });
      await settled();
      assert.deepEqual(asked.value, { name: "Ann" });
    });
  }

  test("that is temporary delays the next attempt by its retryAfterMs at least, and spreads the attempts beyond it", async () => {
    for (const [retryAfterMs, random, expected] of [
      [20_000, 0, 20_000], [20_000, 0.5, 20_250], [100, 0, 500], [100, 0.5, 750], [1e6, 0, 1e6],
      ["20000", 0, 500], [-1, 0, 500], [null, 0, 500], [undefined, 0, 500],
    ]) {
      const it = await connecting(zocket);
      it.clock.nextRandom = random;
      it.socket.refuse("TOO_MANY_REQUESTS", 3129, { retryAfterMs });
      assert.equal(wait(it), expected, `${retryAfterMs}`);
    }
  });

  test("does not delay the attempts after the next one", async () => {
    const it = await connecting(zocket);
    it.socket.refuse("TOO_MANY_REQUESTS", 3129, { retryAfterMs: 20_000 });
    await it.clock.advance(20_000);
    it.socket.end(1006);
    assert.equal(wait(it), 500);
  });

  test("that names a time to wait is not cut short by a page that becomes visible, but by reconnect()", async (t) => {
    const { window, document } = page(t);
    const it = await connecting(zocket);
    it.socket.refuse("TOO_MANY_REQUESTS", 3129, { retryAfterMs: 20_000 });
    document.dispatchEvent(new Event("visibilitychange"));
    window.dispatchEvent(new Event("online"));
    await settled();
    assert.equal(it.WebSocket.all.length, 1);
    it.client.reconnect();
    await settled();
    assert.equal(it.WebSocket.all.length, 2);
    it.client.close();
  });

  test("whose frame does not come is told by its close code alone", async () => {
    const it = await connecting(zocket);
    it.socket.end(3603, "FORBIDDEN");
    assert.equal(it.client.status, "closed");
    assert.equal(it.client.lastError.code, "DISCONNECTED");
    assert.match(it.client.lastError.message, /3603 FORBIDDEN/);
  });

  test("whose Close does not come is reported when the time for the attempt is over", async () => {
    const it = await connecting(zocket, { connectTimeout: 100 });
    it.socket.readyState = 1;
    it.socket.receive({ type: "__error", payload: { code: "OVERLOADED", message: "busy" } });
    assert.equal(it.client.lastError, undefined);
    await it.clock.advance(100);
    assert.equal(it.client.lastError.code, "OVERLOADED");
  });

  test("does not lend its reason to the next attempt", async () => {
    const it = await connecting(zocket);
    it.socket.refuse("OVERLOADED", 3203);
    await it.clock.advance(500);
    it.socket.end(1006);
    assert.equal(it.client.lastError.code, "DISCONNECTED");
  });

  test("can be answered by reconnect() in a listener of onError", async () => {
    const it = await connecting(zocket);
    it.client.onError(({ code }) => code === "UNAUTHORIZED" && it.client.reconnect());
    it.socket.refuse("UNAUTHORIZED", 3601);
    await settled();
    it.socket.welcome();
    assert.equal(it.client.status, "open");
  });

  test("is reported as a frame of type __error after the welcome is: to onError, without an end", async () => {
    const it = await opened(zocket);
    const told = [];
    it.client.onError(({ code }) => told.push(code));
    it.socket.receive({ type: "__error", payload: { type: "chat.typing", code: "FORBIDDEN", message: "" } });
    assert.deepEqual([told, it.client.status, it.client.lastError], [["FORBIDDEN"], "open", undefined]);
  });
});

describe("a 401, where the headers come from a function,", () => {
  test("is followed by one attempt with fresh headers, which may succeed", async () => {
    let asked = 0;
    const it = await connecting(zocket, { headers: () => ({ name: `token ${++asked}` }) });
    it.socket.refuse("UNAUTHORIZED", 3601, { message: "expired" });
    assert.deepEqual([it.client.status, it.client.lastError.message], ["connecting", "expired"]);
    await it.clock.advance(500);
    assert.deepEqual(it.WebSocket.all.map(({ url }) => url.searchParams.get("name")), ["token 1", "token 2"]);
    it.socket.welcome();
    assert.equal(it.client.status, "open");
  });

  test("is final the second time", async () => {
    const it = await connecting(zocket, fresh);
    for (const status of ["connecting", "closed"]) {
      it.socket.refuse("UNAUTHORIZED", 3601);
      assert.equal(it.client.status, status);
      await it.clock.advance(500);
    }
    await it.clock.advance(1e6);
    assert.equal(it.WebSocket.all.length, 2);
  });

  test("is followed by another one after each connection, and after reconnect()", async () => {
    const it = await connecting(zocket, fresh);
    const refuse = async (status) => {
      it.socket.refuse("UNAUTHORIZED", 3601);
      assert.equal(it.client.status, status);
      await it.clock.advance(500);
    };
    await refuse("connecting");
    it.socket.welcome();
    it.socket.end(1006);
    await it.clock.advance(500);
    await refuse("reconnecting");
    await refuse("closed");
    it.client.reconnect();
    await settled();
    await refuse("connecting");
    await refuse("closed");
  });

  test("is followed by another one after a connection that reconnect() replaced", async () => {
    const it = await connecting(zocket, fresh);
    it.socket.refuse("UNAUTHORIZED", 3601);
    await it.clock.advance(500);
    it.socket.welcome();
    it.client.reconnect();
    await settled();
    it.socket.refuse("UNAUTHORIZED", 3601);
    assert.equal(it.client.status, "reconnecting");
  });

  for (const [code, close] of [["BAD_REQUEST", 3600], ["FORBIDDEN", 3603]]) {
    test(`differs from ${code}, which is final`, async () => {
      const it = await connecting(zocket, fresh);
      it.socket.refuse(code, close);
      assert.equal(it.client.status, "closed");
    });
  }
});

describe("a URL that a WebSocket does not take", () => {
  for (const url of ["ws://host:99999", "ws://host:65536/ws", "wss://[::1]:100000?x"]) {
    test(`is refused by createClient: ${url}`, async () => {
      await assert.rejects(connecting(zocket, {}, url), /expected a URL like wss:.*got wss?:/);
    });
  }

  for (const url of ["ws://host:65535", "ws://12345678/ws", "ws://host-99999/ws", "ws://host/a:99999/b", "ws://u:99999@host/", "ws://[::99999]/"]) {
    test(`is none of these: ${url}`, async () => {
      const it = await connecting(zocket, { WebSocket: class { addEventListener() {} close() {} } }, url);
      assert.equal(it.client.status, "connecting");
      it.client.close();
    });
  }

  test("closes the client with the reason, and is not tried again", async () => {
    let attempts = 0;
    class Refusing {
      constructor() {
        attempts++;
        throw new SyntaxError("the URL is invalid");
      }
    }
    const it = await connecting(zocket, { WebSocket: Refusing });
    const asked = await it.client.whoami().catch((error) => error);
    await it.clock.advance(1e6);
    assert.deepEqual([it.client.status, attempts, asked.code], ["closed", 1, "CLOSED"]);
    assert.ok(it.client.lastError.cause instanceof SyntaxError);
    assert.match(it.client.lastError.message, /can't connect: SyntaxError: the URL is invalid/);
  });
});

test("a page that was frozen while it connected reads the welcome that came meanwhile", async (t) => {
  let now = 0;
  replace(t, Date, "now", () => now);
  const it = await connecting(zocket, { connectTimeout: 100 });
  now += 3_600_000;
  await it.clock.advance(100);
  assert.equal(it.client.lastError, undefined);
  it.socket.welcome();
  assert.equal(it.client.status, "open");
});
