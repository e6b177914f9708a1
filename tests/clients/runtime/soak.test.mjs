// Clients of the chat example, for as long as ZOCKET_SOAK_SECS says, through proxies that break their connections at random.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";
import { breakingProxy } from "./breaking_proxy.mjs";
import { serveChat } from "./chat.mjs";

const seconds = Number(process.env.ZOCKET_SOAK_SECS ?? 10);
const seed = Number(process.env.ZOCKET_SOAK_SEED ?? Date.now() % 2 ** 32);
const CLIENTS = 8;

describe("a network that breaks at random", { timeout: (seconds + 120) * 1000 }, () => {
  let chat, server, port;
  /** Lines of the server's log about sessions. */
  const log = [];

  before(async () => {
    const keep = (line) => /session|record|replaced/.test(line) && log.push(line);
    ({ chat, server, port } = await serveChat(keep));
  });
  after(() => server.kill());

  /** Connects a client that records what it hears of each sender, and how it was opened. */
  const connect = (t, name, to) => {
    const client = chat.createClient(`ws://127.0.0.1:${to}/ws`, {
      headers: { name }, WebSocket, dev: false, backoff: { floor: 10, cap: 500 }, timeout: 60_000,
    });
    t.after(() => client.close());
    const seen = { name, client, opens: [], heard: new Map(), presence: 0, posted: 0, failed: [] };
    client.onOpen((open) => seen.opens.push(open));
    client.on.chat.message(({ text }) => {
      const [from, number] = text.split(" ");
      if (!seen.heard.has(from)) seen.heard.set(from, []);
      seen.heard.get(from).push(Number(number));
    });
    client.on.chat.left(() => seen.presence++);
    return seen;
  };

  test(`each event and each answer arrives once and in order, for ${seconds} s`, async (t) => {
    t.diagnostic(`ZOCKET_SOAK_SEED=${seed}`);
    const roomId = "soak";
    const proxies = [];
    const all = [];
    for (let index = 0; index < CLIENTS; index++) {
      proxies.push(await breakingProxy(t, port, seed + index));
      all.push(connect(t, `c${index}`, proxies[index].port));
    }
    // Nothing breaks the connection of this one.
    all.push(connect(t, "witness", port));
    for (const { client } of all) await client.chat.join({ roomId });
    for (const proxy of proxies) proxy.storm();

    const until = Date.now() + seconds * 1000;
    const post = async (from) => {
      const answers = [];
      while (Date.now() < until) {
        const text = `${from.name} ${++from.posted} ${"x".repeat((from.posted * 37) % 100)}`;
        answers.push(from.client.chat.post.safe({ roomId, text }));
        // So slowly that an outage of half a minute stays within the record of a session.
        if (answers.length % 10 === 0) await Promise.all(answers.slice(-10));
        else if (answers.length % 3 === 0) await sleep(200);
      }
      from.failed = (await Promise.all(answers)).filter(({ ok }) => !ok);
    };
    const posting = Promise.all(all.map(post));
    await sleep(seconds * 1000);
    for (const proxy of proxies) proxy.calm();
    await posting;
    const isComplete = () => all.every(({ heard }) => all.every(({ name, posted }) => heard.get(name)?.at(-1) === posted));
    for (const late = Date.now() + 60_000; !isComplete() && Date.now() < late; ) await sleep(20);

    const summaries = all.map(({ name, opens, failed, presence, posted }) => ({
      name, presence, posted, resumes: opens.length - 1,
      lost: opens.slice(1).flatMap(({ resumed, lost }) => (resumed && !lost ? [] : [lost])),
      failed: failed.map(({ error }) => `${error.code} ${error.sent}`),
    }));
    const isWrong = ({ presence, lost, failed }) => presence > 0 || lost.length > 0 || failed.length > 0;
    if (summaries.some(isWrong)) t.diagnostic([...summaries.map((summary) => JSON.stringify(summary)), ...log.slice(-50)].join("\n"));
    assert.deepEqual(summaries.filter(isWrong), []);
    const totals = { breaks: 0, resumes: 0, posted: 0, heard: 0 };
    for (const { name, opens, heard } of all) {
      totals.resumes += opens.length - 1;
      for (const from of all) {
        const numbers = heard.get(from.name) ?? [];
        assert.equal(numbers.at(-1), from.posted, `${name} lacks the end of ${from.name}`);
        const wrong = numbers.findIndex((number, index) => number !== index + 1);
        assert.equal(wrong, -1, `${name} has heard ${numbers[wrong]} of ${from.name} as number ${wrong + 1}`);
        totals.heard += numbers.length;
      }
    }
    for (const proxy of proxies) totals.breaks += proxy.breaks;
    for (const { posted } of all) totals.posted += posted;
    t.diagnostic(JSON.stringify(totals));
    assert.ok(totals.resumes > seconds, "too little has happened");
  });
});
