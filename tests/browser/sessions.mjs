// Shared code of the tests of sessions: a page with nothing but a client, which records what it sees.
import { setTimeout as pause } from "node:timers/promises";

/** Opens a tab, and lets its client join a room. Its `client` and `seen` are globals of the page. */
export async function join(context, port, name, roomId, options = {}) {
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  await page.goto(`http://127.0.0.1:${port}/`);
  page.clientId = await page.evaluate(begin, [name, roomId, options]);
  return page;
}

async function begin([name, roomId, options]) {
  const seen = { opens: [], closes: [], statuses: [], texts: [], presence: [], signals: [] };
  for (const type of ["online", "offline", "pageshow", "pagehide"]) {
    addEventListener(type, ({ persisted = false }) => seen.signals.push(persisted ? `${type} persisted` : type));
  }
  for (const type of ["freeze", "resume"]) document.addEventListener(type, () => seen.signals.push(type));
  // What the client itself does not tell: its token, the number of the last frame, and if a ping waits for its answer.
  const wire = { token: undefined, received: 0, isPinged: false };
  class Observed extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        const { type, payload } = JSON.parse(data);
        wire.isPinged = false;
        if (type === "__welcome") {
          wire.token = payload.session;
          if (!payload.resumed) wire.received = 0;
        } else if (!/^__(ping|pong|ack)$/.test(type)) wire.received++;
      });
    }
    send(text) {
      if (text.includes("__ping")) wire.isPinged = true;
      super.send(text);
    }
  }
  const { createClient } = await import("/zocket.js");
  const client = createClient("/ws", { headers: { name }, timeout: 60_000, WebSocket: Observed, ...options });
  client.onOpen(({ resumed, lost }) => seen.opens.push(lost ? { resumed, lost: lost.calls } : { resumed }));
  client.onClose(({ code, reason }) => seen.closes.push(`${code} ${reason}`.trim()));
  client.onStatus((status) => seen.statuses.push(status));
  client.on.chat.message(({ text }) => seen.texts.push(text));
  client.on.chat.joined((person) => seen.presence.push(`${person.name} joined`));
  client.on.chat.left((person) => seen.presence.push(`${person.name} left`));
  /** Posts messages. Their outcomes come into `answers`, in the order of the answers. */
  const post = (...texts) => {
    for (const text of texts) client.chat.post.safe({ roomId, text }).then(({ ok, error }) => answers.push(ok ? text : error.code));
  };
  const answers = [];
  Object.assign(globalThis, { client, seen, wire, post, answers });
  await client.chat.join({ roomId });
  return client.clientId;
}

export const post = (page, ...texts) => page.evaluate((texts) => window.post(...texts), texts);
export const answers = (page) => page.evaluate(() => window.answers);
export const seen = (page) => page.evaluate(() => window.seen);

/** Waits until a list of `seen` has so many entries. Polls by time, since hidden pages are not painted. */
export const until = (page, list, length) =>
  page.waitForFunction(([list, length]) => window.seen[list].length >= length, [list, length], { polling: 50 });

/** Returns the names of a room's members, as the server knows them. */
export const members = (page, roomId) =>
  page.evaluate(async (roomId) => (await window.client.chat.join({ roomId })).who.map(({ name }) => name).sort(), roomId);

/** Returns the number of sessions that wait for their clients, and of all. */
export async function sessions({ url }) {
  const gauges = await (await fetch(`${url}/gauges`)).json();
  return { parked: gauges.zocket_parked_sessions ?? 0, all: gauges.zocket_connections ?? 0 };
}

/** Waits until so many sessions wait for their clients. */
export async function untilParked(server, parked) {
  while ((await sessions(server)).parked !== parked) await pause(20);
}
