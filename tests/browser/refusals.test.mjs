// Refused handshakes, of which a browser's WebSocket tells a page nothing: the client of the chat in a page of the example
// `auth`, in a headless Chromium.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { binary, launch, open } from "./support.mjs";

const auth = fileURLToPath(new URL("../../target/debug/examples/auth", import.meta.url));
const complaints = [];
let server, url, browser, page;

before(async () => {
  const folder = mkdtempSync(join(tmpdir(), "zocket-refusals-"));
  execFileSync(binary, ["--export", folder]);
  const source = readFileSync(join(folder, "zocket.js"), "utf8");
  server = spawn(auth, { env: { ...process.env, ADDR: "127.0.0.1:0", NO_COLOR: "1" }, stdio: ["ignore", "pipe", "ignore"] });
  for await (const line of createInterface({ input: server.stdout })) {
    const host = /listening on (\S+)/.exec(line)?.[1];
    if (!host) continue;
    url = `http://${host}`;
    break;
  }
  server.stdout.resume();
  browser = await launch();
  // A page of the server's own origin, since it allows no other. What it answers to this request does not matter.
  page = await open(browser, url, complaints);
  await page.evaluate(async (source) => {
    window.zocket = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  }, source);
});

after(async () => {
  await browser?.close();
  server?.kill("SIGKILL");
});

/** Connects in the page with these tokens, one after the other, and returns what its client reports. */
const connect = (tokens, isFunction) =>
  page.evaluate(async ([tokens, isFunction]) => {
    const told = [];
    let asked = 0;
    const next = () => ({ token: tokens[asked++] });
    const client = window.zocket.createClient("/", {
      headers: isFunction ? next : next(), dev: false, backoff: { floor: 10, cap: 20 }, autoConnect: false,
    });
    client.onError(({ code, message, sent }) => told.push(`${code} ${message}`));
    const settled = new Promise((resolve) => client.onStatus((status) => status !== "connecting" && resolve(status)));
    client.reconnect();
    const status = await settled;
    const name = status === "open" ? await client.whoami() : undefined;
    const { lastError } = client;
    client.close();
    return { status, told, name, asked, last: lastError?.code };
  }, [tokens, isFunction]);

const valid = `Ann.${Math.floor(Date.now() / 1000) + 600}`;
const expired = "Ann.1";

test("a page whose token is refused learns the reason, and does not try again", async () => {
  const { asked, ...seen } = await connect([expired], false);
  assert.deepEqual(seen, { status: "closed", told: ["UNAUTHORIZED the token has expired"], name: undefined, last: "UNAUTHORIZED" });
});

test("a page whose headers are a function connects with a fresh token after a 401", async () => {
  const seen = await connect([expired, valid], true);
  assert.deepEqual(seen, { status: "open", told: ["UNAUTHORIZED the token has expired"], name: "Ann", asked: 2, last: undefined });
});

test("a page whose fresh token is refused, too, gives up", async () => {
  const { told, ...seen } = await connect([expired, "nonsense", valid], true);
  assert.deepEqual(told, ["UNAUTHORIZED the token has expired", "UNAUTHORIZED no valid token"]);
  assert.deepEqual(seen, { status: "closed", name: undefined, asked: 2, last: "UNAUTHORIZED" });
});

test("a page with headers that are not valid reads all issues", async () => {
  const { told } = await connect(["x".repeat(201)], false);
  assert.equal(told.length, 1);
  assert.match(told[0], /^BAD_REQUEST /);
});

test("a page of another origin is told the code alone", async () => {
  const foreign = await open(browser, url.replace("127.0.0.1", "localhost"), complaints);
  const told = await foreign.evaluate(async ([url, token]) => {
    const socket = new WebSocket(`${url}?token=${token}`, ["zocket.v1.json", "zocket.refusals"]);
    return await new Promise((resolve) => {
      const frames = [];
      socket.addEventListener("message", ({ data }) => frames.push(JSON.parse(data)));
      socket.addEventListener("close", ({ code, reason }) => resolve({ frames, code, reason }));
    });
  }, [url.replace("http", "ws"), valid]);
  assert.deepEqual(told, { frames: [{ type: "__error", payload: { code: "FORBIDDEN", message: "" } }], code: 3603, reason: "FORBIDDEN" });
});

test("no page threw an error", () => {
  assert.deepEqual(complaints, []);
});
