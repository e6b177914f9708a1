// The exported files in projects of different settings: every way in which TypeScript resolves modules, with and without
// React, the types of the DOM and Node, and under React's `react-server` condition.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const chat = at("../../target/debug/examples/chat");
const modules = at("node_modules");
const compilers = { "TypeScript 5.8": "ts58", "the newest TypeScript": "typescript" };

const strict = {
  strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noPropertyAccessFromIndexSignature: true,
  verbatimModuleSyntax: true, isolatedModules: true, noImplicitOverride: true, noImplicitReturns: true,
  noFallthroughCasesInSwitch: true, noUnusedLocals: true, noUnusedParameters: true, erasableSyntaxOnly: true,
  target: "es2022", noEmit: true,
};
const resolutions = {
  bundler: { module: "esnext", moduleResolution: "bundler" },
  node16: { module: "node16", moduleResolution: "node16" },
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
};
const react = { jsx: "react-jsx", lib: ["es2022", "dom"], types: [] };

/** Writes a project into a new folder, and returns the errors of the compiler, line by line. */
async function check(compiler, compilerOptions, files, { from, type = "module" }) {
  const folder = await mkdtemp(at("../../target/tmp/project-"));
  try {
    await cp(from, folder, { recursive: true });
    // Found by React's projects only.
    if (compilerOptions.jsx) await symlink(modules, join(folder, "node_modules"));
    await writeFile(join(folder, "package.json"), JSON.stringify({ type }));
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: { ...strict, skipLibCheck: !!compilerOptions.jsx, ...compilerOptions }, exclude: ["node_modules", "out"] }));
    const bin = require.resolve(`${compiler}/package.json`).replace("package.json", "bin/tsc");
    await run(process.execPath, [bin, "-p", folder, "--pretty", "false"]);
    return [];
  } catch (error) {
    if (!error.stdout) throw error;
    return error.stdout.trim().split("\n").map((line) => line.slice(line.indexOf(basename(folder))));
  } finally {
    await rm(folder, { recursive: true });
  }
}

let all, hooks;
before(async () => {
  all = at("../../target/tmp/export-all");
  hooks = at("../../target/tmp/export-react");
  for (const [flag, folder] of [["--export", all], ["--export-react", hooks]]) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    execFileSync(chat, [flag, folder]);
  }
});

const page = (extension) => `import { ZocketProvider, useCall, useClient, useConnection } from "./zocket-react${extension}";
function Post() {
  const { call, error } = useCall(useClient().chat.post);
  // @ts-expect-error
  void call({ roomId: 7 });
  return <button onClick={() => void call({ roomId: "lobby", text: "hi" })}>{error?.message}</button>;
}
export function Reason() {
  const { status, lastError } = useConnection();
  const code: string | undefined = lastError?.code;
  const wait: number | undefined = lastError?.retryAfterMs;
  // @ts-expect-error
  void lastError.message;
  return status === "closed" && code !== "UNAUTHORIZED" ? null : [lastError?.message, wait, lastError?.issues[0]?.path.join(".")].join();
}
export const App = () => <ZocketProvider url="/ws" options={{ headers: { name: "Ann" } }}><Post /></ZocketProvider>;
// @ts-expect-error
export const Wrong = () => <ZocketProvider url="/ws" options={{ headers: { name: 7 } }} />;
`;

for (const [named, compiler] of Object.entries(compilers)) {
  describe(named, { concurrency: 2 }, () => {
    for (const [resolution, options] of Object.entries(resolutions)) {
      for (const type of compiler === "typescript" ? ["module", "commonjs"] : ["module"]) {
        // Files of a CommonJS package may not be written as modules under this flag.
        const own = type === "commonjs" && resolution !== "bundler" ? { verbatimModuleSyntax: false } : {};
        test(`the hooks compile, and are typed, under ${resolution} in a package of type ${type}`, async () => {
          const extension = resolution === "bundler" ? "" : ".js";
          assert.deepEqual(await check(compiler, { ...react, ...options, ...own }, { "page.tsx": page(extension) }, { from: hooks, type }), []);
        });
      }

      test(`export_all compiles without React under ${resolution}`, async () => {
        const use = 'import { createClient } from "./zocket.js";\nexport const client = createClient("/ws", { headers: { name: "Ann" } });\n';
        for (const lib of [["es2022"], ["es2022", "dom"]]) {
          assert.deepEqual(await check(compiler, { ...options, lib, types: [] }, { "use.ts": use }, { from: all }), []);
        }
        // A project that has JavaScript, too.
        assert.deepEqual(await check(compiler, { ...options, lib: ["es2022"], types: [], allowJs: true }, { "use.ts": use }, { from: all }), []);
      });
    }

    for (const [what, options] of [
      ["without the DOM, as in React Native", { lib: ["es2022"] }],
      ["where imports end in .ts", { allowImportingTsExtensions: true }],
      ["where such imports are rewritten", { rewriteRelativeImportExtensions: true, noEmit: false, outDir: "out", rootDir: "." }],
      ["with declarations", { declaration: true, noEmit: false, outDir: "out", rootDir: "." }],
    ]) {
      test(`the hooks compile ${what}`, async () => {
        const files = { "page.tsx": page(".js").replace(/<button.*button>/, "null").replace("error }", "error: _ }").replace("const { call, error: _ }", "const { call }") };
        assert.deepEqual(await check(compiler, { ...react, ...resolutions.nodenext, ...options }, files, { from: hooks }), []);
      });
    }

    test("optional members of headers, options and props take undefined, and nothing else that is wrong", async () => {
      const use = `import { createClient, type Headers, type Options, type PayloadIssue, type SocketEvent } from "./zocket.js";
import type { ZocketProviderProps } from "./zocket-react.js";
declare const maybe: string | undefined;
declare const role: "user" | "admin" | undefined;
declare const count: number | undefined;
export const client = createClient("/ws", {
  headers: { name: "Ann", role }, timeout: count, backoff: { floor: count, cap: count }, WebSocket: undefined, clock: undefined,
});
export const headers: Headers = { name: "Ann", role };
export const options: Options = { headers: () => ({ name: "Ann", role }) };
void client.whoami({ timeout: count, signal: undefined });
export const issue: PayloadIssue = { path: [], code: "x", message: "", params: undefined };
export const event: SocketEvent = { type: "close", code: count, reason: maybe, message: maybe };
export const own: ZocketProviderProps = { client, url: undefined, options: undefined, children: undefined };
export const made: ZocketProviderProps = { client: undefined, url: "/ws", options };
// @ts-expect-error
void client.chat.post({ roomId: "a", text: maybe });
// @ts-expect-error
createClient("/ws", { headers: { name: maybe } });
`;
      assert.deepEqual(await check(compiler, { ...react, ...resolutions.nodenext }, { "use.ts": use }, { from: hooks }), []);
    });
  });
}

test("export_all has no file that needs React, and export_react has the hooks", async () => {
  assert.deepEqual((await readdir(all)).sort(), ["asyncapi.json", "contract.json", "zocket.d.ts", "zocket.js", "zocket.ts"]);
  assert.deepEqual((await readdir(hooks)).sort(), ["zocket-react.tsx", "zocket.ts"]);
});

describe("a server component's React", () => {
  test("is not asked for the hooks: the file begins with its directive", async () => {
    assert.ok((await readFile(join(hooks, "zocket-react.tsx"), "utf8")).startsWith('"use client";\n'));
  });

  // React 18 has no build for this condition.
  test("imports the module under the condition react-server", async () => {
    const outfile = join(hooks, "server.mjs");
    const contents = 'export { ZocketProvider, useCall, useClient } from "./zocket-react";';
    const banner = { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' };
    await build({
      stdin: { contents, resolveDir: hooks, loader: "ts" }, outfile, bundle: true, format: "esm", platform: "node",
      conditions: ["react-server"], nodePaths: [modules], banner, logLevel: "silent",
    });
    const script = `const module = await import(${JSON.stringify(pathToFileURL(outfile).href)}); console.log(typeof module.ZocketProvider);`;
    const { stdout } = await run(process.execPath, ["--conditions=react-server", "--input-type=module", "--eval", script]);
    assert.equal(stdout, "function\n");
  });

  test("the condition is in force: that React has no contexts", async () => {
    const { stdout } = await run(process.execPath, ["--conditions=react-server", "-p", 'typeof require("react").createContext'], { cwd: modules });
    assert.equal(stdout, "undefined\n");
  });
});
