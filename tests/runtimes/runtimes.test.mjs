// Runs the unchanged generated client in the runtimes with a global `WebSocket`: Bun, Deno, Node 22.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const chat = at("../../target/debug/examples/chat");
const runtimes = {
  "Node 22": [at("node_modules/node/bin/node")],
  Bun: [at("node_modules/.bin/bun"), "run"],
  Deno: [at("node_modules/.bin/deno"), "run", "--allow-net=127.0.0.1", "--allow-env=NODE_ENV", "--no-check", "--no-config"],
};

/** Starts the chat on a free port, or on its earlier port. */
async function serve(port = 0) {
  const server = spawn(chat, { env: { ...process.env, ADDR: `127.0.0.1:${port}`, NO_COLOR: "1", RUST_LOG: "info" }, stdio: ["ignore", "ignore", "pipe"] });
  for await (const line of createInterface({ input: server.stderr })) {
    const found = /chat on http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
    if (!found) continue;
    server.stderr.resume();
    return { server, port: Number(found[1]) };
  }
  throw new Error("the server said nothing");
}

for (const [name, [program, ...flags]] of Object.entries(runtimes)) {
  test(`a program in ${name} calls, receives events, is refused, and reconnects`, { timeout: 60_000 }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "zocket-runtime-"));
    execFileSync(chat, ["--export", folder]);
    copyFileSync(at("visit.ts"), join(folder, "visit.ts"));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');

    let { server, port } = await serve();
    t.after(() => server.kill("SIGKILL"));
    const visitor = spawn(program, [...flags, "visit.ts", `ws://127.0.0.1:${port}/ws`], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    t.after(() => visitor.kill("SIGKILL"));
    let complaints = "";
    visitor.stderr.on("data", (data) => (complaints += data));
    const exit = once(visitor, "exit");
    const said = [];
    for await (const line of createInterface({ input: visitor.stdout })) {
      said.push(line);
      if (line !== "ready") continue;
      server.kill("SIGKILL");
      await once(server, "exit");
      ({ server } = await serve(port));
    }
    const expected = ["is Ann: true", "heard hi: true", "refused: BAD_REQUEST text", "not admitted: BAD_REQUEST name, closed, sent: no", "ready", "lost, for now", "back: Ann", "lost, for good"];
    assert.deepEqual(said, expected, complaints);
    // The program ends by itself, since a closed client leaves nothing running.
    assert.deepEqual(await exit, [0, null], complaints);
  });
}
