// Measures the generated client. No test depends on these figures:
//   cargo bench --bench contract && cargo build --release --example chat && node tests/clients/figures.mjs
// The time of the TypeScript compiler for a contract of 500 routes and 500 events, with a program that uses them all, and
// the number of calls per second of one client in Node to the chat in another process.
//
// After a change of the generated types, `node tests/clients/figures.mjs --against FOLDER` compares the compiler's time with
// that for the files of FOLDER, a copy of `target/large` from before the change: the medians of 7 alternating runs.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import WebSocket from "ws";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const large = at("target/large");
if (!existsSync(large)) throw new Error("first: cargo bench --bench contract");

const routes = [...Array(500).keys()];
const program = (body) => `import { createClient } from "./zocket";
const client = createClient("/ws", { headers: { name: "" } });
${body}`;
const input = `{ roomId: "a", at: 1, tags: [], kind: { type: "text", text: "" } }`;
const files = {
  "one.ts": program(`client.module0.route0(${input}).then((output) => output.at);`),
  "all.ts": program(routes.map((route) => `client.module${route % 20}.route${route}(${input}).then((output) => output.tags);
client.on.module${route % 20}.event${route}((event) => event.kind.type === "text" && event.kind.text);`).join("\n")),
};
const compilerOptions = { noEmit: true, strict: true, target: "es2022", lib: ["es2022", "dom"], types: [], module: "esnext", moduleResolution: "bundler" };

/** Compiles one of the files with the client in a folder. Returns the seconds that it took. */
function compile(compiler, folder, file) {
  writeFileSync(`${folder}/${file}`, files[file]);
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions, files: [file] }));
  const begun = performance.now();
  execFileSync(process.execPath, [at(`tests/clients/node_modules/${compiler}/bin/tsc`), "-p", folder], { stdio: "inherit" });
  return (performance.now() - begun) / 1000;
}

const compilations = ["ts58", "typescript"].flatMap((compiler) => Object.keys(files).map((file) => [compiler, file]));
const [flag, before] = process.argv.slice(2);
if (flag === "--against") {
  for (const [compiler, file] of compilations) {
    const seconds = Array.from({ length: 7 }, () => [before, large].map((folder) => compile(compiler, folder, file)));
    const [old, now] = [0, 1].map((side) => seconds.map((run) => run[side]).sort((a, b) => a - b)[3]);
    console.log(`${compiler} ${file}: ${old.toFixed(2)} s before, ${now.toFixed(2)} s now, ${((now / old - 1) * 100).toFixed(0)} %`);
  }
  process.exit();
}

const lines = readFileSync(`${large}/zocket.ts`, "utf8").split("\n").length;
console.log(`zocket.ts: ${lines} lines`);
for (const [compiler, file] of compilations) {
  const seconds = [1, 2, 3].map(() => compile(compiler, large, file));
  console.log(`${compiler} ${file}: ${Math.min(...seconds).toFixed(2)} s`);
}

const folder = at("target/chat-client");
const chat = at("target/release/examples/chat");
execFileSync(chat, ["--export", folder]);
writeFileSync(`${folder}/package.json`, '{ "type": "module" }');
const server = spawn(chat, { env: { ...process.env, ADDR: "127.0.0.1:0" }, stdio: ["ignore", "ignore", "pipe"] });
try {
  let url;
  for await (const line of createInterface({ input: server.stderr })) if ((url = /chat on (http:\S+)/.exec(line)?.[1])) break;
  const { createClient } = await import(pathToFileURL(`${folder}/zocket.js`));
  const client = createClient(`${url}/ws`, { headers: { name: "Ann" }, WebSocket, dev: false });
  await client.whoami();
  for (const inFlight of [1, 16, 100]) {
    const total = 20_000;
    const work = async (calls) => {
      for (let call = 0; call < calls; call++) await client.whoami();
    };
    await Promise.all(Array.from({ length: inFlight }, () => work(2_000 / inFlight)));
    const cpu = process.cpuUsage();
    const begun = performance.now();
    await Promise.all(Array.from({ length: inFlight }, () => work(total / inFlight)));
    const seconds = (performance.now() - begun) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    console.log(`${inFlight} in flight: ${Math.round(total / seconds)} calls/s, ${((user + system) / total).toFixed(1)} µs of the client's CPU each`);
  }
  client.close();
} finally {
  server.kill();
}
