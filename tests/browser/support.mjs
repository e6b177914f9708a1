// Shared code of the browser tests: the chat example's binary as a server, a headless Chromium, and page helpers.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const binary = fileURLToPath(new URL("../../target/debug/examples/chat", import.meta.url));
const shortSessions = fileURLToPath(new URL("../../target/debug/examples/short_sessions", import.meta.url));

const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  // Containers have a small one.
  "--disable-dev-shm-usage",
];

const executablePath = "/usr/bin/chromium";

export const launch = () => chromium.launch({ executablePath, args: flags });

/**
 * Starts a browser whose background pages are hidden and can be frozen. Playwright keeps every page of its own browsers
 * visible. Use only the default context.
 */
export async function launchUnforced(t) {
  const folder = await mkdtemp(join(tmpdir(), "zocket-chromium-"));
  const own = ["--remote-debugging-port=0", `--user-data-dir=${folder}`, "about:blank"];
  const child = spawn(executablePath, [...flags, ...own], { stdio: ["ignore", "ignore", "pipe"] });
  t.after(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });
  for await (const line of createInterface({ input: child.stderr })) {
    const url = /DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (!url) continue;
    child.stderr.resume();
    const browser = await chromium.connectOverCDP(url, { noDefaults: true });
    t.after(() => browser.close());
    return browser;
  }
  throw new Error("expected the browser's DevTools address on stderr, got none");
}

/** Starts a server, by default the chat, on a free port or on the given one. */
export async function serve(port = 0, program = binary, variables = {}) {
  const env = { ...process.env, ADDR: `127.0.0.1:${port}`, NO_COLOR: "1", RUST_LOG: "info", ...variables };
  const child = spawn(program, { env, stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface({ input: child.stderr })) {
    const url = /(?:chat|listening) on (http:\S+)/.exec(line)?.[1];
    if (url) {
      child.stderr.resume();
      return { child, url, port: Number(new URL(url).port) };
    }
  }
  throw new Error("expected the server's address on stderr, got none");
}

/** Starts the chat with these limits for one test: `short_sessions.rs` lists them. */
export async function serveShort(t, limits, port = 0) {
  const server = await serve(port, shortSessions, limits);
  t.after(() => server.child.kill("SIGKILL"));
  return server;
}

export async function stop({ child }, signal) {
  child.kill(signal);
  return await once(child, "exit");
}

/** Opens a window that shares nothing with the others. Exceptions of its page go to `complaints`. */
export const open = async (browser, url, complaints) => openIn(await browser.newContext(), url, complaints);

/** Opens a tab of a window in the same way. */
export async function openIn(context, url, complaints) {
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(url);
  return page;
}

export const at = (page, id) => page.getByTestId(id);
export const state = (page, state) => page.locator(`[data-testid=status][data-state=${state}]`).waitFor();
export const says = (page, text) => at(page, "message-text").filter({ hasText: text }).waitFor();

/** Joins a room with 100 clients of the base protocol. They stay as long as the page. */
export const fillRoom = (page, roomId) =>
  page.evaluate(async (roomId) => {
    const join = (_, number) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://${location.host}/ws?name=Guest${number}`);
        socket.onopen = () => socket.send(JSON.stringify({ type: "chat.join", payload: { roomId }, rpcId: "1" }));
        socket.onmessage = ({ data }) => JSON.parse(data).type === "__rpc_res" && resolve();
        socket.onclose = reject;
      });
    await Promise.all(Array.from({ length: 100 }, join));
  }, roomId);

export async function say(page, text) {
  await at(page, "message-input").fill(text);
  await at(page, "message-input").press("Enter");
}
