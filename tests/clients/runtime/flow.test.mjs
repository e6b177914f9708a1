// Flow control: the welcome's `limits.calls` is the number of calls that may be unanswered.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { client as connecting, load, opened, outcome, settled } from "./support.mjs";

const zocket = await load();
const limited = (calls, options) => opened(zocket, options, { limits: { calls } });
const texts = ({ sent }) => sent.filter(({ payload }) => payload).map(({ payload }) => payload.text);
const post = ({ client }, ...all) => all.map((text) => outcome(client.chat.post({ text })));

describe("with limits.calls in the welcome", () => {
  test("no more calls are unanswered, and the rest follows in order, one for each answer", async () => {
    const it = await limited(2);
    const posted = post(it, "1", "2", "3", "4", "5");
    assert.deepEqual(texts(it.socket), ["1", "2"]);
    it.socket.answer({ id: "m2" }, 2);
    assert.deepEqual(texts(it.socket), ["1", "2", "3"]);
    it.socket.receive({ type: "__rpc_err", rpcId: 1, error: { code: "FORBIDDEN", message: "" } });
    assert.deepEqual(texts(it.socket), ["1", "2", "3", "4"]);
    it.socket.answer({ id: "m3" }, 3);
    it.socket.answer({ id: "m4" }, 4);
    it.socket.answer({ id: "m5" }, 5);
    await settled();
    assert.deepEqual(posted.map(({ value, error }) => value?.id ?? error.code), ["FORBIDDEN", "m2", "m3", "m4", "m5"]);
  });

  test("a new call does not overtake those that wait", async () => {
    const it = await limited(1);
    post(it, "1", "2", "3");
    it.socket.answer({}, 1);
    post(it, "4");
    for (const id of [2, 3]) it.socket.answer({}, id);
    assert.deepEqual(texts(it.socket), ["1", "2", "3", "4"]);
  });

  test("a call that was given up counts until the server has answered it", async () => {
    const it = await limited(1);
    const [first] = [outcome(it.client.whoami({ timeout: 10 }))];
    const controller = new AbortController();
    post(it, "2");
    await it.clock.advance(10);
    assert.equal(first.error.code, "TIMEOUT");
    assert.deepEqual(texts(it.socket), []);
    it.socket.answer({}, 1);
    assert.deepEqual(texts(it.socket), ["2"]);
    it.client.chat.post({ text: "aborted" }, { signal: controller.signal }).catch(() => {});
    it.socket.answer({}, 2);
    controller.abort();
    post(it, "4");
    assert.deepEqual(texts(it.socket), ["2", "aborted"]);
    it.socket.answer({}, 3);
    assert.deepEqual(texts(it.socket), ["2", "aborted", "4"]);
  });

  test("a call that waits and times out was not sent, and never is", async () => {
    const it = await limited(1);
    post(it, "1");
    const asked = outcome(it.client.whoami({ timeout: 10 }));
    await it.clock.advance(10);
    assert.deepEqual([asked.error.code, asked.error.sent], ["TIMEOUT", "no"]);
    it.socket.answer({}, 1);
    assert.deepEqual(it.socket.sent.map(({ type }) => type), ["chat.post"]);
  });

  test("a call that waits and is aborted is never sent", async () => {
    const it = await limited(1);
    const controller = new AbortController();
    post(it, "1");
    const asked = outcome(it.client.whoami({ signal: controller.signal }));
    controller.abort();
    it.socket.answer({}, 1);
    await settled();
    assert.equal(asked.error.name, "AbortError");
    assert.deepEqual(it.socket.sent.map(({ type }) => type), ["chat.post"]);
  });

  test("calls that wait when the connection ends are sent on the next one, and those sent are not", async () => {
    const it = await limited(1);
    const [first, second] = post(it, "1", "2");
    it.socket.end(1006);
    await it.clock.advance(500);
    assert.deepEqual([first.error.sent, second.state], ["unknown", "pending"]);
    it.socket.welcome({ limits: { calls: 1 } });
    assert.deepEqual(texts(it.socket), ["2"]);
    it.client.close();
    await settled();
    assert.equal(second.error.sent, "unknown");
  });

  test("calls that wait when the client is closed were not sent", async () => {
    const it = await limited(1);
    const posted = post(it, "1", "2");
    it.client.close();
    await settled();
    assert.deepEqual(posted.map(({ error }) => error.sent), ["unknown", "no"]);
  });

  test("each connection counts anew, by its own limit", async () => {
    const it = await limited(1);
    post(it, "1", "2", "3", "4", "5");
    it.socket.end(1006);
    await it.clock.advance(500);
    it.socket.welcome({ limits: { calls: 3 } });
    assert.deepEqual(texts(it.socket), ["2", "3", "4"]);
  });

  test("waiting calls are bounded by maxQueued", async () => {
    const it = await limited(1, { maxQueued: 1 });
    const posted = post(it, "1", "2", "3");
    await settled();
    assert.deepEqual(posted.map(({ state }) => state), ["pending", "pending", "rejected"]);
    assert.deepEqual([posted[2].error.code, posted[2].error.sent], ["OVERLOADED", "no"]);
  });

  test("calls of onOpen's listeners precede those that wait, beyond the limit too", async () => {
    const it = await connecting(zocket);
    post(it, "needs rooms", "and more");
    it.client.onOpen(() => void post(it, "join a", "join b"));
    it.socket.welcome({ limits: { calls: 1 } });
    for (const id of [3, 4, 1]) it.socket.answer({}, id);
    assert.deepEqual(texts(it.socket), ["join a", "join b", "needs rooms", "and more"]);
  });

  test("a server in the same process, which answers during send, gets all calls in order", async () => {
    const it = await connecting(zocket);
    const all = Array.from({ length: 900 }, (_, n) => `${n}`);
    const posted = post(it, ...all);
    const seen = [];
    it.socket.send = (text) => {
      const { payload, rpcId } = JSON.parse(text);
      seen.push(payload.text);
      it.socket.answer({}, rpcId);
    };
    it.socket.welcome({ limits: { calls: 2 } });
    await settled();
    assert.deepEqual(seen, all);
    assert.ok(posted.every(({ state }) => state === "fulfilled"));
  });

  test("no call begins while those unanswered have the bytes of limits.message, and one alone may have all of them", async () => {
    const it = await opened(zocket, {}, { limits: { message: 1024, calls: 100 } });
    const around = JSON.stringify({ type: "chat.post", payload: { text: "" }, rpcId: 1 }).length;
    const of = (bytes) => "é".repeat((bytes - around) / 2) + "e".repeat((bytes - around) % 2);
    const sizes = () => it.socket.sent.map((frame) => Buffer.byteLength(JSON.stringify(frame)));
    post(it, of(1024), of(500), of(523), of(1024), of(60));
    assert.deepEqual(sizes(), [1024]);
    it.socket.answer({}, 1);
    assert.deepEqual(sizes(), [1024, 500, 523, 1024]);
    it.socket.answer({}, 4);
    assert.deepEqual(sizes(), [1024, 500, 523, 1024, 60]);
  });

  test("the bytes of unanswered calls are counted anew for each connection", async () => {
    const limits = { message: 100, calls: 100 };
    const it = await opened(zocket, {}, { limits });
    post(it, "e".repeat(45), "f".repeat(45), "g".repeat(45), "h".repeat(45));
    assert.equal(it.socket.sent.length, 2);
    it.socket.end(1006);
    await it.clock.advance(500);
    it.socket.welcome({ limits });
    assert.equal(it.socket.sent.length, 2);
    it.socket.answer({}, 3);
    it.socket.answer({}, 4);
    post(it, "i");
    assert.equal(it.socket.sent.length, 3);
  });

  test("pings are not calls, and are sent at once", async () => {
    const it = await opened(zocket, {}, { limits: { calls: 1 }, heartbeatMs: 100 });
    post(it, "1", "2");
    await it.clock.advance(100);
    assert.deepEqual(it.socket.sent.map(({ type }) => type), ["chat.post", "__ping"]);
  });
});

test("bytes are not counted without limits.calls", async () => {
  const it = await opened(zocket, {}, { limits: { message: 100 } });
  post(it, ...Array(100).fill("e".repeat(45)));
  assert.equal(it.socket.sent.length, 100);
});

for (const limits of [undefined, {}, { calls: 0 }, { calls: -1 }, { calls: null }, { calls: "2" }]) {
  test(`no call waits if the welcome has limits: ${JSON.stringify(limits)}`, async () => {
    const it = await opened(zocket, {}, { limits: limits ?? null });
    post(it, ...Array(100).keys());
    assert.equal(it.socket.sent.length, 100);
  });
}

test("the calls of onOpen's and onStatus' listeners are held to the size that this server accepts", async () => {
  for (const when of ["onOpen", "onStatus"]) {
    const it = await connecting(zocket);
    const posted = [];
    it.client[when](() => posted.push(...post(it, "e".repeat(1000))));
    it.socket.welcome({ limits: { message: 1024 } });
    await settled();
    assert.equal(posted[0].error.code, "PAYLOAD_TOO_LARGE");
  }
});
