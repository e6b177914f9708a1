// Sessions over a network that breaks at random. A model of the server checks each frame by PROTOCOL.md.
import assert from "node:assert/strict";
import { test } from "node:test";
import { dice } from "./dice.mjs";
import { FakeClock, load, settled } from "./support.mjs";

const zocket = await load();
const UNCOUNTED = ["__welcome", "__ping", "__pong", "__ack"];
const RECORD = 4000;

/** One connection: what was sent and has not arrived, in each direction. */
class Link {
  toServer = [];
  toClient = [];
  /** The session that the server reads it for. */
  session = undefined;
  constructor(socket) {
    this.socket = socket;
  }
}

/** The network, and the WebSocket of its clients. */
function network(server) {
  const links = [];
  class Socket extends EventTarget {
    readyState = 0;
    constructor(_url, protocols) {
      super();
      this.link = new Link(this);
      this.link.toServer.push({ protocols });
      links.push(this.link);
    }
    send(text) {
      assert.notEqual(this.readyState, 0, "sent before it was open");
      if (this.readyState === 1) this.link.toServer.push(text);
    }
    close(code = 1005, reason = "") {
      if (this.readyState < 2) this.link.toServer.push({ code, reason });
      this.readyState = Math.max(this.readyState, 2);
    }
    arrive(text) {
      if (this.readyState === 0) this.readyState = 1;
      if (this.readyState < 3) this.dispatchEvent(Object.assign(new Event("message"), { data: text }));
    }
    end(code, reason = "") {
      if (this.readyState === 3) return;
      this.readyState = 3;
      this.dispatchEvent(Object.assign(new Event("close"), { code, reason }));
    }
  }
  return {
    Socket,
    links,
    /** Delivers the next frame of one direction. Returns false if there is none. */
    deliver(link, direction) {
      const frame = link[direction].shift();
      if (frame === undefined) return false;
      if (direction === "toServer") server.take(link, frame);
      else if (typeof frame === "string") link.socket.arrive(frame);
      else link.socket.end(frame.code, frame.reason);
      return true;
    },
    /** Loses all that is on its way. Either side may learn of it later, or never. */
    cut(link, clientKnows, serverKnows) {
      link.toServer = { push() {}, shift() {} };
      link.toClient = { push() {}, shift() {} };
      if (serverKnows) server.broken(link);
      if (clientKnows) link.socket.end(1006);
    },
  };
}

/** A server of one client, by PROTOCOL.md. Its sessions are parked for ever. */
class Server {
  sessions = [];
  /** Texts of the messages that ran, in order. */
  ran = [];
  events = 0;
  tokens = 0;

  take(link, frame) {
    if (frame.protocols) this.accept(link, frame.protocols);
    else if (typeof frame === "string") this.read(link, frame);
    else if (frame.reason === "bye") assert.fail("said bye");
    else this.broken(link);
  }

  accept(link, protocols) {
    assert.deepEqual(protocols.slice(0, 3), ["zocket.v1.json", "zocket.refusals", "zocket.flow"]);
    const [, token, n] = /^zocket\.resume(?:\.([\w-]+)\.(\d+))?$/.exec(protocols[3]);
    let session = token && this.sessions.find(({ proven, offered }) => token === proven || token === offered);
    const resumed = session !== undefined;
    if (resumed) {
      if (token === session.offered) this.prove(session);
      assert.ok(+n >= session.sent - session.record.length && +n <= session.sent, `offered ${n}`);
      session.record.splice(0, +n - (session.sent - session.record.length));
      if (session.link) session.link.session = undefined;
      session.link?.toClient.push({ code: 3501, reason: "replaced" });
    } else {
      session = { received: 0, told: 0, sent: 0, record: [], unanswered: [] };
      this.sessions.push(session);
    }
    session.offered ??= `t${++this.tokens}`;
    session.link = link;
    link.session = session;
    const { received, sent } = session;
    const payload = {
      clientId: "c1", contract: "9f2c64", features: ["refusals", "flow", "resume"], limits: { message: 1024, calls: 8, record: RECORD }, heartbeatMs: 25_000,
      session: session.offered, resumed, received, sent, ackMs: 1000, parkedMs: 2 ** 31 - 1,
    };
    link.toClient.push(JSON.stringify({ type: "__welcome", payload }));
    for (const text of session.record) link.toClient.push(text);
  }

  prove(session) {
    session.proven = session.offered;
    session.offered = undefined;
  }

  read(link, text) {
    const { session } = link;
    if (!session) return; // Another link has taken the session over.
    if (session.offered !== undefined) this.prove(session);
    const { type, payload, rpcId } = JSON.parse(text);
    if (!UNCOUNTED.includes(type)) session.received++;
    if (type === "__ping") link.toClient.push('{"type":"__pong"}');
    else if (type === "__ack") {
      const kept = session.sent - payload;
      assert.ok(Number.isInteger(payload) && kept >= 0, `acknowledged ${payload} of ${session.sent}`);
      if (kept < session.record.length) session.record.splice(0, session.record.length - kept);
    } else if (type !== "__void") {
      assert.equal(type, "chat.post");
      this.ran.push(payload.text);
      session.unanswered.push({ rpcId, text: payload.text });
      assert.ok(session.unanswered.length <= 8, "more calls than limits.calls");
    }
  }

  /**
   * The session that the client has. A handshake that was overtaken by a later one may come with an old token, and begins
   * another, which nobody uses.
   */
  get session() {
    return this.sessions.find(({ proven }) => proven) ?? this.sessions.at(-1);
  }

  send(frame) {
    const text = JSON.stringify(frame);
    this.session.sent++;
    this.session.record.push(text);
    this.session.link?.toClient.push(text);
  }

  acknowledge() {
    this.session.link?.toClient.push(`{"type":"__ack","payload":${this.session.received}}`);
  }

  broken(link) {
    if (link.session?.link === link) link.session.link = undefined;
    link.session = undefined;
  }
}

async function play(seed) {
  const { random, below, chance } = dice(seed);
  const server = new Server();
  const net = network(server);
  const clock = new FakeClock();
  clock.random = random;
  const client = zocket.createClient("ws://server/ws", { headers: { name: "Ann" }, dev: false, clock, WebSocket: net.Socket, timeout: Infinity });
  const heard = [];
  const opens = [];
  const calls = [];
  client.on.chat.message(({ text }) => heard.push(text));
  client.onOpen((open) => opens.push(open));
  await settled();

  const post = () => {
    const text = `${calls.length}${"x".repeat(below(300))}`;
    const call = { text, outcomes: [] };
    calls.push(call);
    const aborts = chance(0.2) ? (call.abort = new AbortController()) : undefined;
    client.chat.post({ text }, { timeout: chance(0.1) ? 5000 : Infinity, signal: aborts?.signal }).then(
      ({ id }) => call.outcomes.push(id),
      (error) => call.outcomes.push(error),
    );
  };
  const answer = () => {
    const { unanswered } = server.session;
    const [{ rpcId, text }] = unanswered.splice(below(unanswered.length), 1);
    server.send({ type: "__rpc_res", rpcId, payload: { id: text } });
  };
  const emit = () => server.send({ type: "chat.message", payload: { text: ++server.events } });

  // Until the client has shown that it has a token, a break may end the session.
  const isSafe = () => server.session?.proven !== undefined && client.status !== "connecting";
  for (let step = 0; step < 400; step++) {
    const link = net.links.at(-1 - below(Math.min(2, net.links.length)));
    const what = below(100);
    if (what < 60) net.deliver(link, chance(0.5) ? "toServer" : "toClient");
    else if (what < 72) post();
    else if (!server.session) continue;
    else if (what < 80) emit();
    else if (what < 86) server.session.unanswered.length && answer();
    else if (what < 88) server.acknowledge();
    else if (what < 90) calls.at(below(calls.length || 1))?.abort?.abort();
    else if (!isSafe()) continue;
    else if (what < 94) net.cut(net.links.at(-1), chance(0.8), chance(0.7));
    else if (what < 95) client.reconnect();
    else await clock.advance(below(3000));
    await settled();
  }
  // A network without breaks: all that was sent arrives.
  for (let round = 0; round < 100; round++) {
    for (const link of net.links) while (net.deliver(link, "toServer") || net.deliver(link, "toClient")) await settled();
    while (server.session.unanswered.length) answer();
    server.acknowledge();
    await clock.advance(1000);
  }

  assert.equal(client.status, "open");
  assert.equal(server.sessions.filter(({ proven }) => proven).length, 1, "a session was lost");
  assert.deepEqual(opens.map(({ resumed, lost }) => [resumed, lost]), opens.map((_, index) => [index > 0, undefined]));
  assert.deepEqual(heard, Array.from({ length: server.events }, (_, index) => index + 1));
  assert.deepEqual(server.ran, calls.filter(({ text }) => server.ran.includes(text)).map(({ text }) => text), "once each, and in order");
  for (const { text, outcomes: [outcome, ...more], abort } of calls) {
    assert.equal(more.length, 0);
    const ran = server.ran.includes(text);
    if (typeof outcome === "string") assert.ok(outcome === text && ran);
    else if (outcome.sent === "no") assert.ok(!ran, "ran, though it was not sent");
    else assert.ok(outcome.code === "TIMEOUT" || abort.signal.aborted, `${outcome}`);
  }
  assert.deepEqual(server.session.record, [], "something is not acknowledged");
  client.close();
  return { breaks: opens.length - 1, heard: heard.length, answered: calls.filter(({ outcomes }) => typeof outcomes[0] === "string").length };
}

test("each event and each answer arrives once and in order, whatever breaks", { timeout: 120_000 }, async (t) => {
  const total = { breaks: 0, heard: 0, answered: 0 };
  for (let seed = 1; seed <= 300; seed++) {
    const counts = await play(seed).catch((error) => {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    });
    for (const name of Object.keys(total)) total[name] += counts[name];
  }
  t.diagnostic(JSON.stringify(total));
  // A model that never breaks, or never sends, shows nothing.
  assert.ok(total.breaks > 1000 && total.heard > 5000 && total.answered > 5000, JSON.stringify(total));
});
