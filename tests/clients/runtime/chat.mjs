// The chat example as a process, and the client that it exports.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";

const binary = fileURLToPath(new URL("../../../target/debug/examples/chat", import.meta.url));

/**
 * Starts the server, which the caller ends with `server.kill()`. `chat` is the exported client's module. `onLine` receives
 * each further line of the server's log.
 */
export async function serveChat(onLine = () => {}) {
  const folder = mkdtempSync(join(tmpdir(), "zocket-chat-"));
  execFileSync(binary, ["--export", folder]);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const chat = await import(pathToFileURL(join(folder, "zocket.js")).href);
  const server = spawn(binary, { env: { ...process.env, ADDR: "127.0.0.1:0", NO_COLOR: "1", RUST_LOG: "info" }, stdio: ["ignore", "ignore", "pipe"] });
  let port;
  for await (const line of createInterface({ input: server.stderr })) {
    port = /chat on http:\S+:(\d+)/.exec(line)?.[1];
    if (port) break;
  }
  createInterface({ input: server.stderr }).on("line", onLine);
  return { chat, server, port };
}
