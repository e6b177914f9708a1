// Resumption against the chat example, whose connections a TCP proxy cuts.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";
import { serveChat } from "./chat.mjs";
import { proxy } from "./proxy.mjs";

describe("against the chat example, through a proxy that cuts connections", { timeout: 60_000 }, () => {
  let chat, server, port;

  before(async () => {
    ({ chat, server, port } = await serveChat());
  });
  after(() => server.kill());

  const connect = (t, to, name, options) => {
    const client = chat.createClient(`ws://127.0.0.1:${to}/ws`, {
      headers: { name }, WebSocket, dev: false, backoff: { floor: 1, cap: 10 }, timeout: 30_000, ...options,
    });
    t.after(() => client.close());
    return client;
  };
  const opened = (client) => new Promise((resolve) => {
    const off = client.onOpen((open) => (off(), resolve(open)));
  });
  const next = (source, predicate) => new Promise((resolve) => {
    const off = source((event) => predicate(event) && (off(), resolve(event)));
  });

  test("calls are answered once, room events arrive once and in order, and nobody sees the client leave", async (t) => {
    const bad = await proxy(t, port);
    const [ann, bob] = [connect(t, bad.port, "Ann"), connect(t, port, "Bob")];
    const roomId = "cuts";
    const opens = [];
    ann.onOpen((open) => opens.push(open));
    await ann.chat.join({ roomId });
    await bob.chat.join({ roomId });
    const id = ann.clientId;
    const heard = { ann: [], bob: [] };
    const presence = [];
    ann.on.chat.message(({ text }) => heard.ann.push(text));
    bob.on.chat.message(({ text }) => heard.bob.push(text));
    bob.on.chat.left((left) => presence.push(left));
    bob.on.chat.joined((joined) => presence.push(joined));

    const rounds = 40;
    const answers = [];
    for (let round = 0; round < rounds; round++) {
      for (let n = 0; n < 10; n++) {
        const text = `${round}.${n} ${"x".repeat((round * 37 + n * 101) % 400)}`;
        answers.push(ann.chat.post.safe({ roomId, text: `a${text}` }), bob.chat.post.safe({ roomId, text: `b${text}` }));
      }
      // Somewhere in what was sent just now.
      for (let turn = 0; turn < round % 7; turn++) await new Promise((resolve) => setImmediate(resolve));
      const back = opened(ann);
      const isOpen = ann.status === "open";
      bad.cut();
      // Every third time, the next cut meets whatever follows, such as the handshake.
      if (!isOpen || round % 3) await back;
    }
    const last = [next(ann.on.chat.message, ({ text }) => text === "end"), next(bob.on.chat.message, ({ text }) => text === "end")];
    await Promise.all(answers);
    await ann.chat.post({ roomId, text: "end" });
    await Promise.all(last);

    assert.deepEqual((await Promise.all(answers)).filter(({ ok }) => !ok), []);
    assert.equal(heard.bob.length, rounds * 20 + 1);
    assert.deepEqual(heard.ann, heard.bob);
    for (const from of ["a", "b"]) {
      const own = heard.bob.filter((text) => text.startsWith(from)).map((text) => text.slice(1).split(" ")[0]);
      assert.deepEqual(own, Array.from({ length: rounds * 10 }, (_, index) => `${Math.floor(index / 10)}.${index % 10}`));
    }
    assert.deepEqual(presence, []);
    assert.equal(ann.clientId, id);
    assert.ok(opens.length > rounds / 3, `${opens.length}`);
    assert.deepEqual(opens.map(({ resumed, lost }) => [resumed, lost]), opens.map((_, index) => [index > 0, undefined]));
    t.diagnostic(`${opens.length - 1} resumes`);
  });

  test("reconnect() continues the session, and a client that closes leaves at once", { timeout: 20_000 }, async (t) => {
    const [ann, bob] = [connect(t, port, "Ann"), connect(t, port, "Bob")];
    const roomId = "leaves";
    await bob.chat.join({ roomId });
    await ann.chat.join({ roomId });
    const left = next(bob.on.chat.left, () => true);
    const back = opened(ann);
    const answer = ann.chat.post({ roomId, text: "1" });
    ann.reconnect();
    assert.deepEqual(await back, { clientId: ann.clientId, resumed: true, lost: undefined });
    assert.equal(ann.resumed, true);
    await answer;
    // Still a member.
    await ann.chat.post({ roomId, text: "2" });
    const { clientId } = ann;
    ann.close();
    assert.equal((await left).clientId, clientId);
  });

  test("with other headers it gets a new session, and is told what it has lost", async (t) => {
    const bad = await proxy(t, port);
    let name = "Ann";
    const ann = connect(t, bad.port, name, { headers: () => ({ name }) });
    await ann.whoami();
    const { clientId } = ann;
    name = "Eve";
    const back = opened(ann);
    bad.cut();
    const open = await back;
    assert.deepEqual(open, { clientId: ann.clientId, resumed: false, lost: { clientId, calls: 0 } });
    assert.notEqual(ann.clientId, clientId);
    assert.equal((await ann.whoami()).name, "Eve");
  });
});
