import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { client as connecting, consoleOf, load, opened, outcome, replace, settled, unhandledRejections } from "./support.mjs";

const zocket = await load();
const { ZocketError, isZocketError } = zocket;

describe("a call", () => {
  test("sends its route, its payload and an id, and resolves with the answer", async () => {
    const { client, socket } = await opened(zocket);
    const posted = client.chat.post({ text: "hi" });
    assert.deepEqual(socket.sent, [{ type: "chat.post", payload: { text: "hi" }, rpcId: 1 }]);
    socket.answer({ id: "m1" });
    assert.deepEqual(await posted, { id: "m1" });
  });

  test("of a route without input sends no payload and takes the options first", async () => {
    const { client, socket, clock } = await opened(zocket);
    const asked = outcome(client.whoami({ timeout: 5 }));
    assert.deepEqual(socket.sent, [{ type: "whoami", rpcId: 1 }]);
    await clock.advance(5);
    assert.equal(asked.error.code, "TIMEOUT");
  });

  test("of a route without output resolves when the server has handled it", async () => {
    const { client, socket } = await opened(zocket);
    const told = client.chat.typing({});
    assert.equal(socket.sent[0].rpcId, 1);
    socket.receive({ type: "__rpc_res", rpcId: 1 });
    assert.equal(await told, undefined);
  });

  test("sends the input as it was at the time of the call", async () => {
    const { client, socket } = await connecting(zocket);
    const input = { text: "before" };
    client.chat.post(input);
    input.text = "after";
    socket.welcome();
    assert.equal(socket.sent[0].payload.text, "before");
  });

  test("never reuses an id, even on another connection", async () => {
    const it = await opened(zocket);
    it.client.whoami();
    it.socket.end(1006);
    await it.clock.advance(500);
    it.socket.welcome();
    it.client.whoami();
    assert.equal(it.socket.sent[0].rpcId, 2);
  });

  test("rejects with the server's complete refusal", async () => {
    const { client, socket } = await opened(zocket);
    const posted = client.chat.post({ text: "" });
    const issues = [{ path: ["text"], code: "min_length", message: "at least 1 character, got 0", params: { min: 1 } }];
    socket.receive({ type: "__rpc_err", rpcId: 1, error: { code: "TOO_MANY_REQUESTS", message: "slow down", issues, retryAfterMs: 40 } });
    const error = await posted.catch((error) => error);
    assert.ok(error instanceof ZocketError && error instanceof Error);
    assert.equal(error.name, "ZocketError");
    assert.equal(error.message, "slow down");
    assert.deepEqual(
      [error.code, error.issues, error.retryAfterMs, error.sent, error.route],
      ["TOO_MANY_REQUESTS", issues, 40, undefined, "chat.post"],
    );
  });

  test("times out after 10 seconds, or after the timeout of the options or the call", async () => {
    for (const [options, callOptions, ms] of [[{}, {}, 10_000], [{ timeout: 50 }, {}, 50], [{ timeout: 50 }, { timeout: 7 }, 7]]) {
      const { client, clock } = await opened(zocket, options);
      const asked = outcome(client.whoami(callOptions));
      await clock.advance(ms - 1);
      assert.equal(asked.state, "pending");
      await clock.advance(1);
      assert.equal(asked.error.code, "TIMEOUT");
      assert.equal(asked.error.sent, "unknown");
    }
  });

  test("with an infinite timeout keeps waiting", async () => {
    const { client, clock, socket } = await opened(zocket);
    const asked = outcome(client.whoami({ timeout: Infinity }));
    for (let n = 0; n < 1000; n++) {
      await clock.advance(20_000);
      socket.receive({ type: "__pong" });
    }
    assert.equal(asked.state, "pending");
  });

  test("that was abandoned ignores its late answer", async () => {
    const { client, clock, socket } = await opened(zocket);
    const asked = outcome(client.whoami({ timeout: 1 }));
    await clock.advance(1);
    socket.answer({}, 1);
    await settled();
    assert.equal(asked.error.code, "TIMEOUT");
  });

  test("whose time is over while the page was frozen waits for the answer that came meanwhile, for one more time limit", async (t) => {
    let now = 0;
    replace(t, Date, "now", () => now);
    for (const answers of [true, false]) {
      const { client, clock, socket } = await opened(zocket);
      const asked = outcome(client.whoami({ timeout: 100 }));
      now += 3_600_000;
      await clock.advance(100);
      assert.equal(asked.state, "pending");
      if (answers) socket.answer({ name: "Ann" });
      now += 3_600_000;
      await clock.advance(100);
      assert.deepEqual([asked.state, asked.error?.code], answers ? ["fulfilled", undefined] : ["rejected", "TIMEOUT"]);
      client.close();
    }
  });

  for (const [what, act, expected] of [
    ["answers", (it, { rpcId }) => it.socket.answer({ id: "m1" }, rpcId), { value: { id: "m1" } }],
    ["refuses", (it, { rpcId }) => it.socket.receive({ type: "__rpc_err", rpcId, error: { code: "ROOM_FULL", message: "" } }), { code: "ROOM_FULL" }],
    ["closes", (it) => it.socket.end(1006), { code: "DISCONNECTED" }],
    ["makes a listener close the client", (it) => it.socket.receive({ type: "chat.message", payload: {} }), { code: "DISCONNECTED" }],
  ]) {
    for (const waits of [false, true]) {
      test(`whose server ${what} while ${waits ? "waiting calls are" : "it is"} sent, in the same process, is settled`, async () => {
        const it = await connecting(zocket);
        it.client.on.chat.message(() => it.client.close());
        it.socket.send = (text) => act(it, JSON.parse(text));
        const { socket } = it;
        if (!waits) socket.welcome();
        const asked = outcome(it.client.chat.post({ text: "a" }));
        if (waits) socket.welcome();
        await settled();
        assert.notEqual(asked.state, "pending");
        assert.deepEqual({ value: asked.value, code: asked.error?.code }, { value: undefined, code: undefined, ...expected });
      });
    }
  }

  test("that the socket does not take keeps its place among the waiting ones", async () => {
    const it = await connecting(zocket);
    for (const text of ["1", "2", "3"]) it.client.chat.post({ text });
    const first = it.socket;
    first.send = (text) => (first.sent.push(JSON.parse(text)), (first.readyState = 2)); // It begins to close.
    first.welcome();
    first.end(1006);
    await it.clock.advance(500);
    it.socket.welcome();
    assert.deepEqual([first.sent, it.socket.sent].map((sent) => sent.map(({ payload }) => payload.text)), [["1"], ["2", "3"]]);
  });

  test("leaves no timer and no listener behind", async () => {
    const { client, clock, socket } = await opened(zocket);
    await clock.advance(5000);
    const { signal } = new AbortController();
    let listeners = 0;
    const counted = {
      get aborted() { return signal.aborted; },
      addEventListener: () => ++listeners,
      removeEventListener: () => --listeners,
    };
    const asked = client.whoami({ signal: counted });
    assert.equal(listeners, 1);
    socket.answer({});
    await asked;
    assert.equal(listeners, 0);
    assert.equal(clock.timers.size, 1, "only the heartbeat's");
  });
});

describe("an AbortSignal", () => {
  test("that is aborted already rejects with its reason, and nothing is sent", async () => {
    const { client, socket } = await opened(zocket);
    const reason = new Error("changed my mind");
    await assert.rejects(client.whoami({ signal: AbortSignal.abort(reason) }), reason);
    assert.equal(socket.sent.length, 0);
  });

  test("rejects a waiting call, which is then never sent", async () => {
    const { client, socket } = await connecting(zocket);
    const controller = new AbortController();
    const asked = client.whoami({ signal: controller.signal });
    controller.abort();
    await assert.rejects(asked, { name: "AbortError" });
    socket.welcome();
    assert.equal(socket.sent.length, 0);
  });

  test("rejects a call that was sent, whose answer is then ignored", async () => {
    const { client, socket } = await opened(zocket);
    const controller = new AbortController();
    const asked = client.chat.post({ text: "a" }, { signal: controller.signal });
    controller.abort("enough");
    assert.equal(await asked.catch((reason) => reason), "enough");
    socket.answer({});
  });

  test("rejects safe calls as well", async () => {
    const { client } = await opened(zocket);
    await assert.rejects(client.whoami.safe({ signal: AbortSignal.abort(new Error("x")) }), { message: "x" });
  });
});

describe("calls before the connection is open", () => {
  test("wait for the welcome, not just for the socket, and go out in order", async () => {
    const { client, socket } = await connecting(zocket);
    client.chat.post({ text: "1" });
    client.chat.post({ text: "2" });
    socket.readyState = 1;
    socket.dispatchEvent(new Event("open"));
    client.chat.post({ text: "3" });
    assert.equal(socket.sent.length, 0);
    socket.welcome();
    assert.deepEqual(socket.sent.map(({ payload }) => payload.text), ["1", "2", "3"]);
  });

  test("time out, are reported as unsent, and are not sent later", async () => {
    const { client, clock, socket } = await connecting(zocket);
    const asked = outcome(client.whoami({ timeout: 100 }));
    await clock.advance(100);
    assert.deepEqual([asked.error.code, asked.error.sent], ["TIMEOUT", "no"]);
    socket.welcome();
    assert.equal(socket.sent.length, 0);
  });

  test("are refused beyond the queue's bound", async () => {
    const { client } = await connecting(zocket, { maxQueued: 1 });
    const first = outcome(client.whoami());
    const error = await client.whoami().catch((error) => error);
    assert.deepEqual([error.code, error.sent], ["OVERLOADED", "no"]);
    assert.equal(first.state, "pending");
  });

  test("go out after the calls of onOpen's listeners", async () => {
    const { client, socket } = await connecting(zocket);
    client.chat.post({ text: "needs a room" });
    client.onOpen(() => void client.whoami());
    socket.welcome();
    assert.deepEqual(socket.sent.map(({ type }) => type), ["whoami", "chat.post"]);
  });

  test("survive failed attempts", async () => {
    const it = await connecting(zocket);
    const asked = outcome(it.client.whoami());
    it.socket.end(1006);
    await it.clock.advance(500);
    assert.equal(asked.state, "pending");
    it.socket.welcome();
    assert.equal(it.socket.sent[0].type, "whoami");
  });
});

describe("calls that are pending when the connection ends", () => {
  test("are rejected at once with an unknown outcome if they were sent", async () => {
    const { client, socket } = await opened(zocket);
    const asked = outcome(client.chat.post({ text: "a" }));
    socket.end(1006);
    await settled();
    assert.deepEqual([asked.error.code, asked.error.sent], ["DISCONNECTED", "unknown"]);
    assert.match(asked.error.message, /^chat\.post: the connection ended: 1006$/);
  });

  test("wait for the next connection if they were not sent", async () => {
    const it = await opened(zocket);
    it.socket.readyState = 2; // Closing: the socket would drop the frame.
    const asked = outcome(it.client.chat.post({ text: "a" }));
    it.socket.end(1006);
    await it.clock.advance(500);
    assert.equal(asked.state, "pending");
    it.socket.welcome();
    it.socket.answer({ id: "m" });
    await settled();
    assert.deepEqual(asked.value, { id: "m" });
  });

  test("are all rejected by close() and say whether they were sent", async () => {
    const it = await opened(zocket);
    const sent = outcome(it.client.whoami());
    it.socket.readyState = 2;
    const unsent = outcome(it.client.whoami());
    it.client.close();
    await settled();
    assert.deepEqual([sent.error.code, sent.error.sent], ["DISCONNECTED", "unknown"]);
    assert.deepEqual([unsent.error.code, unsent.error.sent], ["DISCONNECTED", "no"]);
  });

  test("are all rejected by a final close", async () => {
    const it = await opened(zocket);
    it.socket.readyState = 2;
    const unsent = outcome(it.client.whoami());
    it.socket.end(3500, "banned");
    await settled();
    assert.deepEqual([unsent.error.code, unsent.error.sent], ["DISCONNECTED", "no"]);
  });
});

test("a call of a closed client is rejected as CLOSED", async () => {
  const { client } = await opened(zocket);
  client.close();
  const error = await client.whoami().catch((error) => error);
  assert.deepEqual([error.code, error.sent], ["CLOSED", "no"]);
});

describe("unhandled rejections", () => {
  test("do not come from forgotten calls that the connection, the time or a signal ended", async (t) => {
    const seen = unhandledRejections(t);
    const it = await opened(zocket, { maxQueued: 1 });
    const controller = new AbortController();
    it.client.chat.typing({});
    it.client.chat.typing({}, { timeout: 1 });
    it.client.chat.typing({}, { signal: controller.signal });
    it.client.chat.typing.safe({}, { signal: controller.signal });
    controller.abort();
    await it.clock.advance(1);
    it.socket.readyState = 2;
    it.client.chat.typing({});
    it.client.chat.typing({});
    it.socket.end(1006);
    it.client.close();
    it.client.chat.typing({});
    await settled();
    await settled();
    assert.deepEqual(seen, []);
  });

  test("do not come from forgotten calls whose refusal passes by itself", async (t) => {
    const seen = unhandledRejections(t);
    const { client, socket } = await opened(zocket);
    const codes = ["OVERLOADED", "TOO_MANY_REQUESTS", "TIMEOUT", "INTERNAL_SERVER_ERROR"];
    const kept = codes.map((code) => {
      void client.chat.typing({});
      socket.receive({ type: "__rpc_err", rpcId: socket.sent.at(-1).rpcId, error: { code, message: "" } });
      const awaited = client.chat.typing({});
      socket.receive({ type: "__rpc_err", rpcId: socket.sent.at(-1).rpcId, error: { code, message: "" } });
      return assert.rejects(awaited, { code });
    });
    await Promise.all(kept);
    await settled();
    assert.deepEqual(seen, []);
  });

  test("do not come from forgotten safe calls, whatever their refusal", async (t) => {
    const seen = unhandledRejections(t);
    const { client, socket } = await opened(zocket);
    for (const code of ["FORBIDDEN", "BAD_REQUEST", "ROOM_FULL", "OVERLOADED"]) {
      void client.chat.typing.safe({});
      socket.receive({ type: "__rpc_err", rpcId: socket.sent.at(-1).rpcId, error: { code, message: "" } });
    }
    void client.chat.post.safe({ text: 1n });
    void client.chat.post.safe({ text: "e".repeat(2000) });
    await settled();
    assert.deepEqual(seen, []);
  });

  for (const code of ["FORBIDDEN", "BAD_REQUEST", "ROOM_FULL"])
  test(`come from a forgotten call that the server refused for good: ${code}`, () => {
    // In another process, since the test runner reports unhandled rejections as failed tests.
    const support = new URL("./support.mjs", import.meta.url).href;
    const script = `
      import { load, opened } from ${JSON.stringify(support)};
      const { client, socket } = await opened(await load());
      client.chat.typing({});
      socket.receive({ type: "__rpc_err", rpcId: 1, error: { code: "${code}", message: "no" } });`;
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
    assert.notEqual(status, 0);
    assert.match(stderr, new RegExp(`ZocketError: no[^]*${code}`));
  });

  test("do not come from headers that fail", async (t) => {
    const seen = unhandledRejections(t);
    const { client } = await connecting(zocket, { headers: () => Promise.reject(new Error("no token")) });
    assert.match(client.lastError.message, /no token/);
    assert.deepEqual(seen, []);
    client.close();
  });
});

describe("errors as values", () => {
  test("safe gives data or the error", async () => {
    const { client, socket } = await opened(zocket);
    const first = client.chat.post.safe({ text: "a" });
    socket.answer({ id: "m" });
    assert.deepEqual(await first, { ok: true, data: { id: "m" }, error: undefined });
    const second = client.chat.post.safe({ text: "a" });
    socket.receive({ type: "__rpc_err", rpcId: 2, error: { code: "ROOM_FULL", message: "full" } });
    const result = await second;
    assert.equal(result.ok, false);
    assert.equal(result.error.code, "ROOM_FULL");
  });

  test("isZocketError recognises the client's errors", async () => {
    const { client } = await opened(zocket);
    const error = new ZocketError("ROOM_FULL", "full", { route: "chat.post" });
    assert.equal(isZocketError(error), true);
    assert.equal(isZocketError(client.chat.post, error), true);
    assert.equal(isZocketError(client.whoami, error), false);
    assert.equal(isZocketError(new Error("other")), false);
    assert.equal(isZocketError(client.chat.post, undefined), false);
  });
});

describe("the option validate", () => {
  const issues = [{ path: ["text"], code: "custom", message: "no" }];
  const validate = (route, direction) => (`${route} ${direction}` in refused ? issues : undefined);
  let refused = {};

  test("keeps an input with issues from being sent", async () => {
    refused = { "chat.post input": true };
    const { client, socket } = await opened(zocket, { dev: true, validate });
    const error = await client.chat.post({ text: "" }).catch((error) => error);
    assert.deepEqual([error.code, error.issues], ["BAD_REQUEST", issues]);
    assert.equal(socket.sent.length, 0);
  });

  test("reports outputs and events with issues to onError and delivers them", async () => {
    refused = { "whoami output": true, "chat.message event": true };
    const { client, socket } = await opened(zocket, { dev: true, validate });
    const told = [];
    client.onError((error) => told.push([error.code, error.route]));
    const heard = [];
    client.on.chat.message((message) => heard.push(message));
    const asked = client.whoami();
    socket.answer({ odd: true });
    assert.deepEqual(await asked, { odd: true });
    socket.receive({ type: "chat.message", payload: 7 });
    assert.deepEqual(heard, [7]);
    assert.deepEqual(told, [["INVALID_PAYLOAD", "whoami"], ["INVALID_PAYLOAD", "chat.message"]]);
  });

  test("does not run in production", async () => {
    refused = { "chat.post input": true };
    const { client, socket } = await opened(zocket, { dev: false, validate });
    client.chat.post({ text: "" });
    assert.equal(socket.sent.length, 1);
  });

  test("has no effect when it throws", async (t) => {
    const reported = consoleOf(t, "error");
    const { client, socket } = await opened(zocket, { dev: true, validate: () => { throw new Error("broken"); } });
    client.chat.post({ text: "a" });
    assert.equal(socket.sent.length, 1);
    assert.equal(reported.length, 1);
  });
});
