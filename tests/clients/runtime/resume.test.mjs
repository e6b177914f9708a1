// Sessions that outlive their connections: the rules of PROTOCOL.md, *Resumption*, one by one.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WELCOME, ack, offer, post, redial, resumable, resume, said, texts, zocket } from "./sessions.mjs";
import { opened, outcome, replace, settled } from "./support.mjs";

describe("the offer", () => {
  test("is without a token at first, then has the token and the number of the last frame", async () => {
    const it = await resumable();
    assert.equal(offer(it.socket), "zocket.resume");
    it.socket.receive(said("1"));
    it.socket.receive(said("2"));
    await redial(it);
    assert.equal(offer(it.socket), "zocket.resume.T1.2");
  });

  test("has no token if the welcome does not list the feature, or has no token, or one of other letters", async () => {
    for (const more of [{ features: ["flow"] }, { features: undefined }, { features: "resumes" }, { session: undefined }, { session: 7.5 }, { session: "a b" }, { session: "" }]) {
      const it = await resumable({}, more);
      it.socket.receive(said("1"));
      await it.clock.advance(2000);
      assert.deepEqual(it.socket.sent, []);
      await redial(it);
      assert.equal(offer(it.socket), "zocket.resume", JSON.stringify(more));
    }
  });

  test("has the last token that arrived, so the one before if a welcome was lost", async () => {
    const it = await resumable();
    await redial(it);
    // The server may have offered T2.
    await redial(it);
    assert.equal(offer(it.socket), "zocket.resume.T1.0");
    it.socket.welcome({ ...WELCOME, session: "T2", resumed: true });
    await redial(it);
    assert.equal(offer(it.socket), "zocket.resume.T2.0");
  });

  test("counts every frame but four types, also those that are not JSON", async () => {
    const it = await resumable();
    for (const type of ["__welcome", "__ping", "__pong"]) it.socket.receive({ type });
    it.socket.receive(ack(0));
    it.client.onError(() => {});
    it.socket.receiveText("{");
    it.socket.receive(said("2"));
    it.socket.receive({ type: "__error", payload: { code: "CONFLICT", message: "" } });
    it.socket.receive({ type: "__unknown" });
    it.socket.receive({ type: "not.declared" });
    it.socket.receive({ type: "__rpc_res", rpcId: 99 });
    await redial(it);
    assert.equal(offer(it.socket), "zocket.resume.T1.6");
  });

  test("is never in the URL", async () => {
    const it = await resumable();
    await redial(it);
    assert.doesNotMatch(it.socket.url.href, /T1/);
  });
});

describe("acknowledgements of the client", () => {
  test("come at once after each welcome", async () => {
    const it = await resumable();
    assert.deepEqual(it.socket.sent, [ack(0)]);
    it.socket.receive(said("1"));
    await resume(it, 0);
    assert.deepEqual(it.socket.sent, [ack(1)]);
  });

  test("come every ackMs while something is unacknowledged", async () => {
    const it = await resumable({}, { ackMs: 200 });
    await it.clock.advance(1000);
    assert.deepEqual(it.socket.sent, [ack(0)]);
    it.socket.receive(said("1"));
    await it.clock.advance(100);
    it.socket.receive(said("2"));
    await it.clock.advance(99);
    assert.equal(it.socket.sent.length, 1);
    await it.clock.advance(1);
    assert.deepEqual(it.socket.sent.slice(1), [ack(2)]);
    it.socket.receive(said("3"));
    await it.clock.advance(200);
    assert.deepEqual(it.socket.sent.slice(2), [ack(3)]);
    await it.clock.advance(10_000);
    assert.equal(it.socket.sent.length, 3);
  });

  test("come with the next frame if the timer of a hidden page is late", async (t) => {
    const start = Date.now();
    const it = await resumable();
    it.socket.receive(said("1"));
    replace(t, Date, "now", () => start + 5000);
    it.socket.receive(said("2"));
    assert.deepEqual(it.socket.sent.slice(1), [ack(2)]);
  });

  test("come past a quarter of the record, in which a frame has 64 bytes more than its length", async () => {
    const length = 60;
    const frame = said("x".repeat(length - JSON.stringify(said("")).length));
    const it = await resumable({}, { limits: { record: 4 * (3 * (length + 64)) } });
    for (let n = 1; n <= 3; n++) it.socket.receive(frame);
    assert.equal(it.socket.sent.length, 1);
    it.socket.receive(frame);
    assert.deepEqual(it.socket.sent.slice(1), [ack(4)]);
    for (let n = 5; n <= 7; n++) it.socket.receive(frame);
    assert.equal(it.socket.sent.length, 2);
    it.socket.receive(frame);
    assert.deepEqual(it.socket.sent.slice(2), [ack(8)]);
  });

  test("come no later for letters of several bytes", async () => {
    const it = await resumable({}, { limits: { record: 4000 } });
    it.socket.receive(said("€".repeat(334)));
    assert.deepEqual(it.socket.sent.slice(1), [ack(1)]);
  });

  test("wait for no socket that has gone", async () => {
    const it = await resumable();
    it.socket.receive(said("1"));
    const { socket } = it;
    socket.end(1006);
    await it.clock.advance(5000);
    assert.deepEqual(socket.sent, [ack(0)]);
  });
});

describe("the record of the client", () => {
  test("is sent again after the number that the server has", async () => {
    const it = await resumable();
    const calls = post(it, "1", "2", "3");
    await resume(it, 1);
    assert.deepEqual(texts(it.socket), ["2", "3"]);
    for (const id of [1, 2, 3]) it.socket.answer({ id: `m${id}` }, id);
    await settled();
    assert.deepEqual(calls.map(({ value }) => value.id), ["m1", "m2", "m3"]);
  });

  test("has what was not acknowledged, over several breaks", async () => {
    const it = await resumable();
    post(it, "1", "2", "3");
    it.socket.receive(ack(1));
    await resume(it, 1);
    assert.deepEqual(texts(it.socket), ["2", "3"]);
    post(it, "4");
    await redial(it);
    assert.deepEqual(texts(it.socket), []);
    await resume(it, 2, { session: "T3" });
    assert.deepEqual(texts(it.socket), ["3", "4"]);
    await resume(it, 4, { session: "T4" });
    assert.deepEqual(it.socket.sent, [ack(0)]);
  });

  test("ignores an earlier acknowledgement", async () => {
    const it = await resumable();
    post(it, "1", "2");
    it.socket.receive(ack(2));
    it.socket.receive(ack(1));
    assert.equal(it.client.status, "open");
    await resume(it, 2);
    assert.deepEqual(texts(it.socket), []);
  });

  test("has void frames in place of calls that were given up, and their place is free again", async () => {
    const it = await resumable({}, { limits: { ...WELCOME.limits, calls: 3 } });
    const controller = new AbortController();
    const aborted = outcome(it.client.chat.post({ text: "1" }, { signal: controller.signal }));
    const late = outcome(it.client.chat.post({ text: "2" }, { timeout: 100 }));
    const [third, fourth] = post(it, "3", "4");
    controller.abort();
    await it.clock.advance(100);
    assert.deepEqual([aborted.state, late.error.code, late.error.sent], ["rejected", "TIMEOUT", "unknown"]);
    await resume(it, 0, { limits: { ...WELCOME.limits, calls: 3 } });
    assert.deepEqual(it.socket.sent.map(({ type, payload }) => payload?.text ?? type), ["__ack", "__void", "__void", "3", "4"]);
    // Nothing answers the void ones, so they do not count any more.
    it.socket.answer({ id: "m3" }, 3);
    it.socket.answer({ id: "m4" }, 4);
    await settled();
    assert.deepEqual([third.value.id, fourth.value.id], ["m3", "m4"]);
    post(it, "5", "6", "7", "8");
    assert.deepEqual(texts(it.socket), ["3", "4", "5", "6", "7"]);
  });

  test("does not void a call that the server has: its place is taken until it is answered", async () => {
    const it = await resumable({}, { limits: { ...WELCOME.limits, calls: 1 } });
    const controller = new AbortController();
    it.client.chat.post({ text: "1" }, { signal: controller.signal }).catch(() => {});
    controller.abort();
    await resume(it, 1, { limits: { ...WELCOME.limits, calls: 1 } });
    post(it, "2");
    assert.deepEqual(it.socket.sent, [ack(0)]);
    it.socket.answer({}, 1);
    assert.deepEqual(texts(it.socket), ["2"]);
  });

  test("is at most half full with one frame more, and calls wait until the server acknowledges", async () => {
    const one = JSON.stringify({ type: "chat.post", payload: { text: "1" }, rpcId: 1 }).length + 64;
    const it = await resumable({}, { limits: { message: 1024, record: 6 * one } });
    post(it, "1", "2", "3", "4", "5");
    assert.deepEqual(texts(it.socket), ["1", "2", "3"]);
    it.socket.answer({}, 1);
    assert.deepEqual(texts(it.socket), ["1", "2", "3"]);
    it.socket.receive(ack(1));
    assert.deepEqual(texts(it.socket), ["1", "2", "3", "4"]);
    const tiny = await resumable({}, { limits: { message: 1024, record: 10 } });
    post(tiny, "1", "2");
    assert.deepEqual(texts(tiny.socket), ["1"]);
    tiny.socket.receive(ack(1));
    assert.deepEqual(texts(tiny.socket), ["1", "2"]);
  });

  test("does not exist without a session", async () => {
    const it = await opened(zocket, {}, { limits: { message: 1024, record: 10 } });
    post(it, "1", "2", "3");
    assert.deepEqual(texts(it.socket), ["1", "2", "3"]);
  });
});

describe("after a resume", () => {
  test("the record is sent, then onOpen is called, then the waiting calls are sent", async () => {
    const it = await resumable();
    const opens = [];
    post(it, "kept");
    it.client.onOpen((open) => {
      opens.push(open);
      post(it, "of onOpen");
    });
    it.socket.end(1006);
    post(it, "waits");
    assert.equal(it.client.status, "reconnecting");
    await it.clock.advance(500);
    it.socket.welcome({ ...WELCOME, session: "T2", resumed: true });
    assert.deepEqual(texts(it.socket), ["kept", "of onOpen", "waits"]);
    assert.deepEqual(opens, [{ clientId: "c1", resumed: true, lost: undefined }]);
    assert.equal(it.client.resumed, true);
  });

  test("no call was rejected, and status and onClose tell of the break", async () => {
    const it = await resumable();
    const seen = [];
    it.client.onStatus((status) => seen.push(status));
    it.client.onClose(({ code, final }) => seen.push([code, final]));
    const [call] = post(it, "1");
    await resume(it, 1);
    assert.deepEqual(seen, ["reconnecting", [1006, false], "open"]);
    assert.equal(call.state, "pending");
    it.socket.answer({ id: "m1" }, 1);
    await settled();
    assert.equal(call.value.id, "m1");
  });

  test("nothing is taken from older sockets, from the break on", async () => {
    const it = await resumable();
    const heard = [];
    it.client.on.chat.message(({ text }) => heard.push(text));
    const old = it.socket;
    it.client.reconnect();
    old.receive(said("late"));
    await settled();
    assert.equal(offer(it.socket), "zocket.resume.T1.0");
    old.receive(said("later"));
    old.end(3501, "replaced");
    it.socket.welcome({ ...WELCOME, session: "T2", resumed: true });
    it.socket.receive(said("late"));
    it.socket.receive(said("later"));
    assert.deepEqual(heard, ["late", "later"]);
    assert.equal(it.client.status, "open");
  });

  test("the time of the break before does not go on", async () => {
    const it = await resumable({}, { parkedMs: 2000 });
    await resume(it, 0, { parkedMs: 2000 });
    await it.clock.advance(5000);
    await redial(it);
    assert.equal(offer(it.socket), "zocket.resume.T2.0");
  });
});
