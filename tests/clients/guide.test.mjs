// The guide's blocks of TypeScript, against the chat's generated client: all compile, and those that assert run.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const guide = path("../../src/guide");
const folder = path("../../target/tmp/guide");

/** Of each block: its file's name, with the page and the line that it begins in, and its text. */
const blocks = [];

async function check(compiler) {
  const bin = require.resolve(`${compiler}/package.json`).replace("package.json", "bin/tsc");
  try {
    await run(process.execPath, [bin, "-p", folder, "--pretty", "false"]);
    return [];
  } catch (error) {
    if (!error.stdout) throw error;
    return error.stdout.trim().split("\n");
  }
}

before(async () => {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const page of await readdir(guide)) {
    if (!page.endsWith(".md")) continue;
    const text = await readFile(join(guide, page), "utf8");
    for (const { index, 1: kind, 2: body } of text.matchAll(/^```(tsx?)\n([^]*?)^```$/gm)) {
      const line = text.slice(0, index).split("\n").length;
      blocks.push({ name: `${page.replace(".md", "")}_${line}.${kind}`, body });
    }
  }
  for (const { name, body } of blocks) {
    // The pages do not repeat this import.
    const prelude = /const client\b/.test(body) || !/\bclient\./.test(body) ? "" : 'import { client } from "./client";\n';
    await writeFile(join(folder, name), prelude + body);
  }
  for (const name of ["zocket.ts", "zocket-react.tsx"]) {
    await copyFile(path(`../../examples/react/src/${name}`), join(folder, name));
  }
  // The module that a page makes of its first block.
  const creating = blocks.find(({ body }) => body.includes("export const client"));
  await writeFile(join(folder, "client.ts"), creating.body);
  const modules = path("node_modules");
  const compilerOptions = {
    noEmit: true, strict: true, exactOptionalPropertyTypes: true, noUnusedLocals: true, isolatedModules: true,
    verbatimModuleSyntax: true, target: "es2022", module: "esnext", moduleResolution: "bundler", jsx: "react-jsx",
    lib: ["es2022", "dom"], moduleDetection: "force", types: ["node"], typeRoots: [join(modules, "@types")],
    paths: { "*": [join(modules, "@types/*"), join(modules, "*")] },
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts", "*.tsx"] }));
});

for (const [name, compiler] of Object.entries({ "5.8": "ts58", newest: "typescript" })) {
  test(`the guide's blocks compile by TypeScript ${name}`, async () => {
    assert.ok(blocks.length >= 7, `${blocks.length} blocks`);
    assert.deepEqual(await check(compiler), []);
  });
}

test("a block that no longer fits the client does not compile", async (t) => {
  const wrong = join(folder, "wrong.ts");
  t.after(() => rm(wrong));
  await writeFile(wrong, 'import { client } from "./client";\nawait client.chat.post({ text: "no room" });\n');
  const errors = await check("typescript");
  assert.match(errors[0], /wrong\.ts\(2,\d+\): error TS\d+: Property 'roomId' is missing/);
});

test("the blocks that assert succeed", async () => {
  const asserting = blocks.filter(({ body }) => body.includes('"node:assert/strict"'));
  assert.notEqual(asserting.length, 0);
  for (const { name } of asserting) {
    const outfile = join(folder, `${name}.mjs`);
    await build({ entryPoints: [join(folder, name)], outfile, bundle: true, platform: "node", format: "esm" });
    await run(process.execPath, [outfile], { timeout: 20_000 });
  }
});
