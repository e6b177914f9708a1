// Sessions that outlive their connections: what ends a session, and what does not.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WELCOME, ack, offer, post, redial, resumable, said, texts, zocket } from "./sessions.mjs";
import { client as connecting, opened, page, replace, settled } from "./support.mjs";

describe("what ends the session, and what does not", () => {
  for (const [code, reason] of [[1006, ""], [1005, ""], [1000, ""], [1001, ""], [1001, "Going away"], [1012, ""], [3501, "replaced"]]) {
    test(`${code} ${reason} is a break`, async () => {
      const it = await resumable();
      const [call] = post(it, "1");
      await redial(it, code, reason);
      assert.equal(offer(it.socket), "zocket.resume.T1.0");
      assert.equal(call.state, "pending");
    });
  }

  for (const [code, reason] of [[1001, "going-away"], [1012, "restarting"], [1008, "OVERLOADED"], [1011, "unavailable"], [3001, "stalled"], [3002, "slow-reader"]]) {
    test(`${code} ${reason} ends it, and calls that the server has not acknowledged have not run`, async () => {
      const it = await resumable();
      const opens = [];
      it.client.onOpen((open) => opens.push(open));
      const [ran, not] = post(it, "1", "2");
      it.socket.receive(ack(1));
      await redial(it, code, reason);
      assert.equal(offer(it.socket), "zocket.resume");
      assert.deepEqual([ran.error.code, ran.error.sent, not.error.code, not.error.sent], ["DISCONNECTED", "unknown", "DISCONNECTED", "no"]);
      it.socket.welcome({ ...WELCOME, clientId: "c2" });
      assert.deepEqual(opens, [{ clientId: "c2", resumed: false, lost: { clientId: "c1", calls: 1 } }]);
    });
  }

  for (const [code, reason] of [[3004, "not-resumable"], [3501, "replaced"], [1006, ""], [1001, ""]]) {
    test(`${code} before the welcome says nothing about it`, async () => {
      const it = await resumable();
      const [call] = post(it, "1");
      await redial(it);
      await redial(it, code, reason);
      assert.equal(offer(it.socket), "zocket.resume.T1.0");
      assert.equal(call.state, "pending");
    });
  }

  test("a refusal that passes, met while resuming, keeps the token, and is not counted", async () => {
    const it = await resumable();
    const [call] = post(it, "1");
    await redial(it);
    it.socket.refuse("OVERLOADED", 3203);
    await it.clock.advance(500);
    assert.equal(offer(it.socket), "zocket.resume.T1.0");
    it.socket.welcome({ ...WELCOME, session: "T2", resumed: true });
    assert.deepEqual(texts(it.socket), ["1"]);
    assert.equal(call.state, "pending");
  });

  test("a 401, met while resuming, keeps the token for the attempt with fresh headers", async () => {
    const it = await resumable({ headers: () => ({ name: "Ann" }) });
    await redial(it);
    it.socket.refuse("UNAUTHORIZED", 3601);
    await it.clock.advance(500);
    assert.equal(offer(it.socket), "zocket.resume.T1.0");
    it.socket.refuse("UNAUTHORIZED", 3601);
    assert.equal(it.client.status, "closed");
    assert.equal(it.clock.timers.size, 0);
    it.client.reconnect();
    await settled();
    assert.equal(offer(it.socket), "zocket.resume");
  });

  test("a Close that the session had received while it was parked ends it", async () => {
    const it = await resumable();
    const [call] = post(it, "1");
    await redial(it);
    await redial(it, 3002, "slow-reader");
    assert.equal(offer(it.socket), "zocket.resume");
    assert.deepEqual([call.error.code, call.error.sent], ["DISCONNECTED", "unknown"]);
    const kicked = await resumable();
    await redial(kicked);
    kicked.socket.end(4001, "kicked");
    assert.equal(kicked.client.status, "closed");
    assert.equal(kicked.clock.timers.size, 0);
  });

  test("a server that does not resume it ends it: calls are rejected before onOpen", async () => {
    const it = await resumable();
    const seen = [];
    post(it, "0");
    it.socket.answer({}, 1);
    it.socket.receive(ack(1));
    const call = it.client.chat.post({ text: "1" });
    call.catch(({ code, sent }) => seen.push(code, sent));
    it.client.onOpen((open) => seen.push(open));
    it.socket.receive(said("1"));
    await redial(it);
    const [waits] = post(it, "waits");
    await settled();
    it.socket.welcome({ ...WELCOME, clientId: "c2", session: "T2" });
    assert.deepEqual(it.socket.sent.map(({ type, payload }) => payload.text ?? type), ["__ack", "waits"]);
    await settled();
    assert.deepEqual(seen, [{ clientId: "c2", resumed: false, lost: { clientId: "c1", calls: 1 } }, "DISCONNECTED", "unknown"]);
    assert.equal(it.client.resumed, false);
    assert.equal(waits.state, "pending");
    // The new session counts from 1.
    it.socket.receive(said("1"));
    await redial(it);
    assert.equal(offer(it.socket), "zocket.resume.T2.1");
    it.socket.welcome({ ...WELCOME, session: "T3", resumed: true, received: 1 });
    assert.equal(it.client.status, "open");
    assert.deepEqual(it.socket.sent, [ack(1)]);
  });

  test("a new session has an empty record, so no call has to wait", async () => {
    const limits = { message: 1024, record: 200 };
    const it = await resumable({}, { limits });
    post(it, "1", "2");
    assert.deepEqual(texts(it.socket), ["1"]);
    await redial(it);
    it.socket.welcome({ ...WELCOME, limits });
    assert.deepEqual(texts(it.socket), ["2"]);
  });

  test("lost is told once, also without resumption", async () => {
    const it = await opened(zocket);
    const opens = [];
    it.client.onOpen(({ resumed, lost }) => opens.push([resumed, lost]));
    post(it, "1");
    await redial(it);
    it.socket.welcome({ clientId: "c2" });
    assert.deepEqual(opens, [[false, { clientId: "c1", calls: 1 }]]);
    await redial(it);
    it.socket.welcome({ clientId: "c3" });
    assert.deepEqual(opens[1], [false, { clientId: "c2", calls: 0 }]);
  });

  test("parkedMs after the break, the token is dropped and the calls are rejected", async () => {
    const it = await resumable({ backoff: { floor: 60_000, cap: 60_000 }, timeout: Infinity });
    const [sent] = post(it, "1");
    it.socket.end(1006);
    const [waits] = post(it, "2");
    await it.clock.advance(29_999);
    assert.equal(sent.state, "pending");
    await it.clock.advance(1);
    assert.deepEqual([sent.error.code, sent.error.sent, waits.state], ["DISCONNECTED", "unknown", "pending"]);
    await it.clock.advance(31_000);
    assert.equal(offer(it.socket), "zocket.resume");
  });

  test("a handshake that is under way then may still resume it, and ends it if it fails", async () => {
    for (const succeeds of [true, false]) {
      const it = await resumable({ timeout: Infinity, connectTimeout: Infinity }, { parkedMs: 1000 });
      const [call] = post(it, "1");
      await redial(it);
      await it.clock.advance(2000);
      assert.equal(call.state, "pending");
      if (succeeds) {
        it.socket.welcome({ ...WELCOME, session: "T2", resumed: true });
        assert.deepEqual(texts(it.socket), ["1"]);
        await redial(it);
        assert.equal(offer(it.socket), "zocket.resume.T2.0");
      } else {
        await redial(it);
        assert.equal(call.error.sent, "unknown");
        assert.equal(offer(it.socket), "zocket.resume");
      }
    }
  });

  test("failed attempts do not prolong the time", async () => {
    const it = await resumable({ timeout: Infinity }, { parkedMs: 1800 });
    const [call] = post(it, "1");
    await redial(it);
    await redial(it);
    await redial(it);
    assert.equal(call.state, "pending");
    it.socket.end(1006);
    await it.clock.advance(300);
    assert.equal(call.error.sent, "unknown");
  });

  test("close() says bye, rejects the calls, and leaves no timer running", async () => {
    const it = await resumable();
    const [call] = post(it, "1");
    it.socket.receive(said("1"));
    it.client.close();
    assert.deepEqual(it.socket.closedWith, { code: 1000, reason: "bye" });
    await settled();
    assert.deepEqual([call.error.code, call.error.sent], ["DISCONNECTED", "unknown"]);
    assert.equal(it.clock.timers.size, 0);
    it.client.reconnect();
    await settled();
    assert.equal(offer(it.socket), "zocket.resume");
  });

  test("close() while the session is parked forgets it", async () => {
    const it = await resumable();
    const [call] = post(it, "1");
    it.socket.end(1006);
    it.client.close();
    await settled();
    assert.equal(call.error.sent, "unknown");
    assert.equal(it.clock.timers.size, 0);
  });

  test("reconnect() resumes, and closes the old socket without a code, which is a break", async () => {
    const it = await resumable({ timeout: Infinity });
    const [call] = post(it, "1");
    const { socket } = it;
    it.client.reconnect();
    assert.deepEqual(socket.closedWith, { code: undefined, reason: undefined });
    await settled();
    assert.equal(offer(it.socket), "zocket.resume.T1.0");
    assert.equal(call.state, "pending");
    // The attempts fail.
    await it.clock.advance(29_000);
    assert.equal(call.state, "pending");
    await it.clock.advance(11_000);
    assert.deepEqual([call.error.code, call.error.sent], ["DISCONNECTED", "unknown"]);
  });

  test("a page that is left says bye", async (t) => {
    const { window } = page(t);
    const it = await resumable();
    window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: false }));
    assert.deepEqual(it.socket.closedWith, { code: 1000, reason: "bye" });
    it.client.close();
  });

  test("a page that may be shown again closes without a code, and comes back at once when it is shown", async (t) => {
    const { window } = page(t);
    const it = await resumable();
    const { socket } = it;
    const [call] = post(it, "1");
    const hide = () => window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
    hide();
    assert.deepEqual(socket.closedWith, { code: undefined, reason: undefined });
    assert.equal(it.client.status, "reconnecting");
    assert.equal(call.state, "pending");
    hide();
    assert.equal(it.WebSocket.all.length, 1);
    window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    await settled();
    assert.equal(offer(it.socket), "zocket.resume.T1.0");
    it.socket.welcome({ ...WELCOME, session: "T2", resumed: true });
    assert.deepEqual(texts(it.socket), ["1"]);
    it.client.close();
  });

  test("a page that is hidden during an attempt, or while it waits, changes nothing", async (t) => {
    const { window } = page(t);
    const errors = [];
    const it = await connecting(zocket);
    it.client.onError((error) => errors.push(error));
    const hide = () => window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
    hide();
    assert.equal(it.socket.closedWith, undefined);
    it.socket.welcome(WELCOME);
    it.socket.end(1006);
    const { retryAt } = it.client;
    hide();
    assert.equal(it.client.retryAt, retryAt);
    assert.deepEqual(errors, []);
    it.client.close();
  });

  test("a clock that is set an hour ahead, or back, changes nothing", async (t) => {
    for (const change of [3_600_000, -3_600_000]) {
      let now = 1e12;
      replace(t, Date, "now", () => now);
      const it = await resumable({ backoff: { floor: 29_000, cap: 29_000 }, timeout: Infinity });
      const [call] = post(it, "1");
      it.socket.end(1006);
      now += change;
      await it.clock.advance(29_000);
      assert.equal(offer(it.socket), "zocket.resume.T1.0");
      it.socket.end(1006);
      await it.clock.advance(1000);
      assert.equal(call.error.sent, "unknown");
      it.client.close();
    }
  });
});

describe("a server that acknowledges what was never sent", () => {
  for (const received of [3, -1, 0, 1.5, "2", null, undefined]) {
    test(`is left with bye after a welcome with ${JSON.stringify(received)}, and the client begins anew`, async () => {
      const it = await resumable();
      const [, second] = post(it, "1", "2");
      it.socket.receive(ack(1));
      const opens = [];
      it.client.onOpen((open) => opens.push(open));
      await redial(it);
      const { socket } = it;
      socket.welcome({ ...WELCOME, session: "T2", resumed: true, received });
      assert.deepEqual(socket.closedWith, { code: 1000, reason: "bye" });
      assert.deepEqual(socket.sent, []);
      assert.equal(it.client.status, "reconnecting");
      await it.clock.advance(1000);
      assert.notEqual(it.socket, socket);
      assert.equal(offer(it.socket), "zocket.resume");
      assert.deepEqual([second.error.code, second.error.sent], ["DISCONNECTED", "unknown"]);
      it.socket.welcome({ ...WELCOME, clientId: "c2" });
      assert.deepEqual(opens, [{ clientId: "c2", resumed: false, lost: { clientId: "c1", calls: 2 } }]);
    });
  }

  for (const n of [2, 0.5, "1", null, [0]]) {
    test(`is left with bye after an acknowledgement of ${JSON.stringify(n)}`, async () => {
      const it = await resumable();
      const [call] = post(it, "1");
      const { socket } = it;
      socket.receive(ack(n));
      assert.deepEqual(socket.closedWith, { code: 1000, reason: "bye" });
      assert.equal(it.client.status, "reconnecting");
      await it.clock.advance(500);
      assert.equal(call.error.sent, "unknown");
      assert.equal(offer(it.socket), "zocket.resume");
    });
  }

  test("and one that goes on with a session that the client does not have", async () => {
    const it = await connecting(zocket);
    const { socket } = it;
    socket.welcome({ ...WELCOME, resumed: true });
    assert.deepEqual(socket.closedWith, { code: 1000, reason: "bye" });
    await it.clock.advance(500);
    assert.equal(offer(it.socket), "zocket.resume");
  });
});

describe("a server within the process, which acts during send", () => {
  test("may acknowledge and answer while the record is sent again", async () => {
    const it = await resumable();
    const calls = post(it, "1", "2", "3");
    await redial(it);
    const { socket } = it;
    let received = 0;
    const send = socket.send.bind(socket);
    socket.send = (text) => {
      send(text);
      const { rpcId } = JSON.parse(text);
      if (!rpcId) return;
      socket.receive(ack(++received));
      socket.answer({ id: `m${rpcId}` }, rpcId);
    };
    socket.welcome({ ...WELCOME, session: "T2", resumed: true });
    await settled();
    assert.deepEqual(texts(socket), ["1", "2", "3"]);
    assert.deepEqual(calls.map(({ value }) => value?.id), ["m1", "m2", "m3"]);
    await redial(it);
    assert.equal(offer(it.socket), "zocket.resume.T2.3");
  });

  test("may close then: the client is not open", async () => {
    const it = await resumable();
    post(it, "1");
    it.client.onOpen(() => assert.fail("it has no connection"));
    await redial(it);
    const { socket } = it;
    socket.send = () => socket.end(1006);
    socket.welcome({ ...WELCOME, session: "T2", resumed: true });
    assert.equal(it.client.status, "reconnecting");
    await it.clock.advance(1000);
    assert.equal(offer(it.socket), "zocket.resume.T2.0");
  });
});
