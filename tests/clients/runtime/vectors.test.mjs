// Runs tests/vectors against the client's runtime. The test plays the server. Their README describes the format.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { FakeClock, fakeWebSocket, outcome, settled } from "./fakes.mjs";
import { check, sample } from "./patterns.mjs";

const at = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const folder = at("tests/vectors");
const files = readdirSync(folder).filter((name) => name.endsWith(".json")).sort();

/** Abilities that a vector may need. This client lacks those that are false: messages without an id. */
const ABILITIES = { send: false, resume: true };
/** Members of the welcome of a server that resumes sessions. */
const RESUMABLE = {
  features: ["refusals", "flow", "resume"], limits: { message: 4096, record: 65536 },
  session: "T1", resumed: false, received: 0, sent: 0, ackMs: 60_000, parkedMs: 600_000,
};
/** Steps of a client's runner after which no handshake is accepted by itself. */
const HANDSHAKE = ["offered", "welcome", "refuse"];
/** Steps of a server's runner, which are skipped here. */
const ELSEWHERE = ["request", "open", "offer", "binary", "bytes", "ping", "pong", "pinged", "silence", "ask", "end", "hangUp", "shutdown", "send"];

/** Returns the runtime of an app with the routes that a vector calls. */
async function load(vector) {
  const incoming = {};
  for (const { call } of vector.steps) if (call) incoming[call.route] = "payload" in call;
  const contract = { version: "0.1.0", hash: "0", incoming, outgoing: ["said"] };
  const file = join(mkdtempSync(join(tmpdir(), "zocket-")), "zocket.mjs");
  writeFileSync(file, `const CONTRACT = ${JSON.stringify(contract)};\n${readFileSync(at("src/contract/typescript/runtime.js"), "utf8")}`);
  return import(pathToFileURL(file).href);
}

/** A client and its scripted server. */
class Stage {
  clock = new FakeClock();
  WebSocket = fakeWebSocket();
  /** The client's ids by the ids in the vector. */
  ids = new Map();
  calls = new Map();
  heard = [];
  headers = {};
  comeBackOn = [];

  constructor(zocket, accepts) {
    this.zocket = zocket;
    /** True if each handshake is welcomed, though no step says so. */
    this.accepts = accepts;
  }

  get socket() {
    return this.WebSocket.last;
  }

  /** Connects at the first use. Sends a welcome, since our client speaks the extended protocol, unless steps say how. */
  async open() {
    if (this.client) return this.client;
    const { clock, WebSocket, headers } = this;
    this.client = this.zocket.createClient("ws://server/ws", { headers, dev: false, clock, WebSocket });
    this.client.onClose(({ code }) => {
      if (this.comeBackOn.some(([first, last]) => first <= code && code <= last)) this.client.reconnect();
    });
    await settled();
    if (this.accepts) this.socket.welcome({ contract: "0" });
    await settled();
    return this.client;
  }

  /** Returns the current state of a call. */
  async call(id) {
    await settled();
    const seen = this.calls.get(id);
    assert.ok(seen, `there is no call ${id}`);
    return seen;
  }
}

const steps = {
  async hello(stage, { headers, reads }) {
    stage.headers = headers;
    await stage.open();
    const read = Object.fromEntries(stage.socket.url.searchParams);
    for (const [name, expected] of Object.entries(reads)) check(expected, read[name]);
  },
  comeBackOn(stage, codes) {
    stage.comeBackOn.push(codes);
  },
  async call(stage, { id, route, payload }) {
    const client = await stage.open();
    const call = route.split(".").reduce((node, segment) => node[segment], client);
    const caller = new AbortController();
    const options = { signal: caller.signal };
    stage.calls.set(id, { caller, seen: outcome(payload === undefined ? call(options) : call(payload, options)) });
  },
  async client(stage, written) {
    await stage.open();
    const { rpcId: label, ...expected } = JSON.parse(text(written));
    const { socket } = stage;
    socket.taken ??= 0;
    // An acknowledgement may take its time.
    if (socket.taken >= socket.sent.length) await stage.clock.advance(1000);
    assert.ok(socket.taken < socket.sent.length, `expected ${JSON.stringify(expected)}\n  got nothing`);
    const { rpcId, ...frame } = socket.sent[socket.taken++];
    if (label != null) {
      const isId = typeof rpcId === "number" || (typeof rpcId === "string" && rpcId !== "" && Buffer.byteLength(rpcId) <= 128);
      assert.ok(isId, `expected an rpcId of at most 128 bytes, or a number\n  got ${JSON.stringify(rpcId)}`);
      stage.ids.set(label, rpcId);
    }
    // For a server, a null payload equals an absent one.
    for (const each of [frame, expected]) if (each.payload === null) delete each.payload;
    check(expected, frame);
  },
  async server(stage, pattern) {
    await stage.open();
    const frame = sample(pattern);
    stage.socket.receive(stage.ids.has(frame.rpcId) ? { ...frame, rpcId: stage.ids.get(frame.rpcId) } : frame);
  },
  async resolves(stage, { id, payload }) {
    const { state, value, error } = (await stage.call(id)).seen;
    assert.equal(state, "fulfilled", error);
    check(payload, value);
  },
  async rejects(stage, { id, refusal }) {
    const { state, error, value } = (await stage.call(id)).seen;
    assert.equal(state, "rejected", `got ${JSON.stringify(value)}`);
    check(refusal, shown(error));
  },
  async pending(stage, id) {
    assert.equal((await stage.call(id)).seen.state, "pending");
  },
  async on(stage, type) {
    (await stage.open()).on[type]((payload) => stage.heard.push({ type, payload }));
  },
  event(stage, expected) {
    check(expected, stage.heard.shift());
  },
  async close(stage, { code, reason = "" }) {
    await stage.open();
    stage.socket.end(code, reason);
  },
  async gone(stage) {
    await stage.open();
    stage.socket.end(1006);
  },
  async comesBack(stage, must) {
    const { socket } = stage;
    // The maximum wait.
    for (let waited = 0; waited < 30_000 && stage.socket === socket; waited += 100) await stage.clock.advance(100);
    assert.equal(stage.socket !== socket, must, "whether it connects again");
    assert.equal(stage.client.status === "closed", !must);
  },
  async offered(stage, offer) {
    await stage.open();
    assert.deepEqual(stage.socket.protocols.filter((protocol) => protocol.startsWith("zocket.resume")), [offer]);
  },
  async welcome(stage, members) {
    await stage.open();
    stage.socket.welcome({ contract: "0", ...RESUMABLE, ...members });
    await settled();
  },
  async refuse(stage, { status, code, message, issues }) {
    await stage.open();
    const passes = status === 408 || status === 429 || status >= 500;
    stage.socket.refuse(code, (passes ? 2700 : 3200) + status, { message, issues });
  },
  refused(stage, refusal) {
    check(refusal, shown(stage.client.lastError));
  },
  async giveUp(stage, id) {
    (await stage.call(id)).caller.abort();
    await settled();
  },
  async fails(stage, { id, sent }) {
    const { seen } = await stage.call(id);
    assert.deepEqual([seen.state, seen.error?.code, seen.error?.sent], ["rejected", "DISCONNECTED", sent]);
  },
  leave(stage) {
    stage.client.close();
  },
  closes(stage, close) {
    assert.deepEqual(stage.socket.closedWith, close);
  },
};

/** Returns the refusal in an error. */
function shown({ code, message, issues, retryAfterMs, data }) {
  const present = { ...(retryAfterMs !== undefined && { retryAfterMs }), ...(data !== undefined && { data }) };
  return { code, message, ...(issues.length && { issues }), ...present };
}

function text(written) {
  if (typeof written === "string") return written;
  if (!Array.isArray(written)) return JSON.stringify(written);
  return written.map((part) => (typeof part === "string" ? part : part.repeat.repeat(part.times))).join("");
}

async function run(vector) {
  const accepts = !vector.steps.some((step) => HANDSHAKE.some((name) => Object.hasOwn(step, name)));
  const stage = new Stage(await load(vector), accepts);
  for (const [index, step] of vector.steps.entries()) {
    const [[name, argument], ...more] = Object.entries(step);
    try {
      assert.ok(Object.hasOwn(steps, name) && !more.length, "not a step of a client's");
      await steps[name](stage, argument);
    } catch (error) {
      error.message = `step ${index + 1}, ${JSON.stringify(step)}:\n  ${error.message}`;
      throw error;
    }
  }
  assert.ok(stage.client, "no step of it is a client's");
  check([], stage.WebSocket.all.flatMap(({ sent, taken = 0 }) => sent.slice(taken)));
  stage.client.close();
}

/** Returns true for a vector of this client. Unknown members are an error. */
function isOurs({ name, must, sides, app, needs = [], steps: taken, ...rest }) {
  const named = (names, among) => names.forEach((one) => assert.ok(among.includes(one), `${name}: not known: ${one}`));
  named(Object.keys(rest), []);
  named(sides, ["server", "client"]);
  assert.ok(sides.length, `${name} has no sides`);
  named(needs, Object.keys(ABILITIES));
  for (const { as, ...step } of taken) named(Object.keys(step), [...Object.keys(steps), ...ELSEWHERE]);
  return sides.includes("client") && needs.every((need) => ABILITIES[need]);
}

const ours = files.map((file) => {
  const { section, vectors, ...rest } = JSON.parse(readFileSync(join(folder, file), "utf8"));
  assert.deepEqual(rest, {}, `${file}: not known`);
  assert.ok(vectors.length, `${file} has no vectors`);
  return [file, vectors.filter(isOurs)];
});
assert.ok(ours.some(([, vectors]) => vectors.length), "there are no vectors for a client");

for (const [file, vectors] of ours) {
  describe(file, () => {
    for (const vector of vectors) {
      test(vector.name, () => run(vector).catch((error) => {
        error.message = `${file}: ${vector.name}\n  must: ${vector.must}\n  ${error.message}`;
        throw error;
      }));
    }
  });
}
