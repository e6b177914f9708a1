// The client over real WebSockets: against a scripted server on `ws`, and against the chat example.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import WebSocket, { WebSocketServer } from "ws";
import { serveChat } from "./chat.mjs";
import { load, settled } from "./support.mjs";

const zocket = await load();

/** Waits until the condition is true. The test's time limit ends the wait. */
const status = (client, wanted) =>
  new Promise((resolve) => {
    if (client.status === wanted) return resolve();
    const off = client.onStatus((now) => now === wanted && (off(), resolve()));
  });

async function serve(t, { port = 0, answer = () => ({}), welcome = true } = {}) {
  const server = new WebSocketServer({ port, handleProtocols: (offered) => offered.has("zocket.v1.json") && "zocket.v1.json" });
  await once(server, "listening");
  server.on("connection", (socket) => {
    if (welcome) socket.send(JSON.stringify({ type: "__welcome", payload: { clientId: "c", contract: "9f2c64", limits: { message: 1e6 } } }));
    socket.on("message", (text) => {
      const { type, payload, rpcId } = JSON.parse(text);
      socket.send(JSON.stringify({ rpcId, type: "__rpc_res", ...answer(type, payload, socket) }));
    });
  });
  const close = () => {
    for (const socket of server.clients) socket.terminate();
    return new Promise((resolve) => server.close(resolve));
  };
  t.after(close);
  return { server, close, port: server.address().port };
}

const create = (t, port, options) => {
  const client = zocket.createClient(`http://127.0.0.1:${port}/ws`, {
    headers: { name: "Ann" }, WebSocket, dev: false, backoff: { floor: 1, cap: 10 }, ...options,
  });
  t.after(() => client.close());
  return client;
};

describe("over a WebSocket", { timeout: 20_000 }, () => {
  test("a call is answered and an event is received", async (t) => {
    const { port } = await serve(t, {
      answer: (_, payload, socket) => {
        socket.send(JSON.stringify({ type: "chat.message", payload: { text: payload.text, from: "Ann" } }));
        return { payload: { id: "m1" } };
      },
    });
    const client = create(t, port);
    const heard = client.on.chat.message[Symbol.asyncIterator]();
    assert.deepEqual(await client.chat.post({ text: "hi" }), { id: "m1" });
    assert.deepEqual((await heard.next()).value, { text: "hi", from: "Ann" });
  });

  test("the client reconnects when the server is back", async (t) => {
    const first = await serve(t);
    const client = create(t, first.port);
    await status(client, "open");
    await first.close();
    await status(client, "reconnecting");
    const asked = client.whoami();
    await serve(t, { port: first.port, answer: () => ({ payload: { name: "Ann" } }) });
    assert.deepEqual(await asked, { name: "Ann" });
  });

  test("a refused handshake is reported and retried", async (t) => {
    const server = new WebSocketServer({ port: 0, verifyClient: (_, answer) => answer(false, 401) });
    await once(server, "listening");
    t.after(() => server.close());
    const client = create(t, server.address().port);
    const [first] = await new Promise((resolve) => {
      const told = [];
      client.onError((error) => told.push(error) === 2 && resolve(told));
    });
    assert.equal(first.code, "DISCONNECTED");
    assert.match(first.message, /401/);
  });

  test("a server that never sends a welcome times out", async (t) => {
    const { port } = await serve(t, { welcome: false });
    const client = create(t, port, { connectTimeout: 50 });
    const error = await new Promise((resolve) => client.onError(resolve));
    assert.equal(error.code, "TIMEOUT");
  });

  test("closing during the handshake causes no error", async (t) => {
    const { port, server } = await serve(t);
    const client = create(t, port);
    await settled();
    client.close();
    client.reconnect();
    await status(client, "open");
    assert.equal(client.status, "open");
    client.close();
    await Promise.all([...server.clients].map((socket) => once(socket, "close")));
  });
});

describe("against the chat example, by the client that it exports", { timeout: 20_000 }, () => {
  let chat, server, port;

  before(async () => {
    ({ chat, server, port } = await serveChat());
  });
  after(() => server.kill());

  const connect = (t, name, options) => {
    const client = chat.createClient(`ws://127.0.0.1:${port}/ws`, { headers: { name }, WebSocket, dev: false, ...options });
    t.after(() => client.close());
    return client;
  };

  test("two clients chat, and the welcome names the contract that the client was made from", async (t) => {
    const [ann, bob] = [connect(t, "Ann"), connect(t, "Bob")];
    await ann.chat.join({ roomId: "lobby" });
    assert.equal((await bob.chat.join({ roomId: "lobby" })).members, 2);
    const heard = ann.on.chat.message[Symbol.asyncIterator]();
    const { id } = await bob.chat.post({ roomId: "lobby", text: "hi" });
    const { value } = await heard.next();
    assert.deepEqual([value.id, value.text, value.from], [id, "hi", "Bob"]);
    assert.equal(await bob.chat.typing({ roomId: "lobby", isTyping: true }), undefined);
    assert.equal((await ann.whoami()).clientId, ann.clientId);
  });

  test("refusals carry their code and their issues", async (t) => {
    const ann = connect(t, "Ann");
    const { error } = await ann.chat.post.safe({ roomId: "", text: 7 });
    assert.equal(error.code, "BAD_REQUEST");
    assert.deepEqual(error.issues.map(({ path }) => path.join(".")).sort(), ["roomId", "text"]);
    assert.equal((await ann.admin.announce.safe({ text: "x" })).error.code, "FORBIDDEN");
  });

  test("a refused handshake carries the code and the issues, and is final", async (t) => {
    const eve = connect(t, "x".repeat(41));
    const asked = await eve.whoami().catch((error) => error);
    assert.equal(eve.status, "closed");
    const { code, issues } = eve.lastError;
    assert.deepEqual([code, issues.map(({ path }) => path.join(".")), asked.code, asked.sent], ["BAD_REQUEST", ["name"], "DISCONNECTED", "no"]);
  });

  test("a client keeps within the server's limit of unanswered calls, so that none is refused", async (t) => {
    let unanswered = 0;
    let most = 0;
    class Counted extends WebSocket {
      constructor(...given) {
        super(...given);
        this.on("message", (text) => String(text).includes('"rpcId"') && unanswered--);
      }
      send(text) {
        most = Math.max(most, ++unanswered);
        super.send(text);
      }
    }
    const ann = connect(t, "Ann", { WebSocket: Counted });
    const results = await Promise.all(Array.from({ length: 900 }, () => ann.whoami.safe()));
    assert.deepEqual(results.filter(({ ok }) => !ok), []);
    assert.ok(most > 1 && most < 900, `${most}`);
  });

  test("a silent client's pings are answered, so it stays connected", async (t) => {
    let pongs = 0;
    const closes = [];
    const answered = new Promise((resolve) => {
      class Watched extends WebSocket {
        constructor(...given) {
          super(...given);
          this.on("message", (text) => String(text) === '{"type":"__pong"}' && ++pongs === 3 && resolve());
        }
      }
      // The 25 s of silence, shortened.
      const clock = { setTimeout: (run, ms) => setTimeout(run, ms === 25_000 ? 20 : ms), clearTimeout, random: Math.random };
      const client = chat.createClient(`ws://127.0.0.1:${port}/ws`, { headers: { name: "Ann" }, WebSocket: Watched, dev: false, clock });
      client.onClose((close) => closes.push(close));
      t.after(() => client.close());
    });
    await answered;
    assert.deepEqual(closes, []);
  });

  test("thousands of calls a second go through one connection", async (t) => {
    const calls = 5000;
    const ann = connect(t, "Ann", { maxQueued: calls });
    await ann.whoami();
    const begun = performance.now();
    await Promise.all(Array.from({ length: calls }, () => ann.whoami()));
    t.diagnostic(`${Math.round(calls / ((performance.now() - begun) / 1000))} calls a second, pipelined`);
  });
});
