// Shared code of the tests of sessions that are resumed.
import { load, opened, outcome, settled } from "./support.mjs";

export const zocket = await load();
export const WELCOME = {
  features: ["refusals", "flow", "resume"], limits: { message: 1024, record: 4096 },
  session: "T1", resumed: false, received: 0, sent: 0, ackMs: 1000, parkedMs: 30_000,
};
export const ack = (payload) => ({ type: "__ack", payload });
export const said = (text) => ({ type: "chat.message", payload: { text } });
export const texts = ({ sent }) => sent.filter(({ type }) => type === "chat.post").map(({ payload }) => payload.text);
export const offer = ({ protocols }) => protocols[3];

/** Returns a client with a session, which the server has not resumed yet. */
export const resumable = (options, more) => opened(zocket, options, { ...WELCOME, ...more });

/** Breaks the connection, and lets the client dial again. */
export async function redial(it, code = 1006, reason = "") {
  it.socket.end(code, reason);
  await it.clock.advance(500);
}

/** Breaks the connection, and resumes the session from this frame of the client. */
export async function resume(it, received, more) {
  await redial(it);
  it.socket.welcome({ ...WELCOME, session: "T2", resumed: true, received, ...more });
  await settled();
}

export const post = ({ client }, ...all) => all.map((text) => outcome(client.chat.post({ text })));
