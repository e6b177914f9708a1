// Compiles the generated TypeScript with several compilers. The Rust test `tests/contract/typescript/truth` writes the files.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const written = (name) => fileURLToPath(new URL(`../../target/tmp/${name}`, import.meta.url));

const flags = [
  "--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--isolatedModules",
  "--erasableSyntaxOnly", "--verbatimModuleSyntax", "--noUnusedLocals", "--target", "es2022", "--module", "nodenext",
  "--lib", "es2022,dom", "--skipLibCheck", "false",
];

const compilers = { "5.8": "ts58", newest: "typescript" };

const bin = (compiler) => require.resolve(`${compiler}/package.json`).replace("package.json", "bin/tsc");

/** Returns the errors of a compiler, line by line. */
async function check(compiler, ...files) {
  try {
    await run(process.execPath, [bin(compiler), ...flags, ...files]);
    return [];
  } catch (error) {
    if (!error.stdout) throw error;
    return error.stdout.trim().split("\n");
  }
}

test("the Rust test has written the files checked here", () => {
  assert.ok(existsSync(written("truth/truth.ts")), "run `cargo test --test contract` first");
  return writeFile(written("truth/package.json"), '{ "type": "module" }');
});

for (const [name, compiler] of Object.entries(compilers)) {
  test(`TypeScript ${name} accepts exactly serde's output for every tricky type`, async () => {
    assert.deepEqual(await check(compiler, written("truth/truth.ts")), []);
  });
}

for (const [name, compiler] of Object.entries(compilers)) {
  test(`TypeScript ${name} accepts types and members with the names that the client uses`, async () => {
    await writeFile(written("names/package.json"), '{ "type": "module" }');
    assert.deepEqual(await check(compiler, written("names/names.ts")), []);
  });
}

test("a check that finds nothing is detected", async () => {
  const truth = await readFile(written("truth/truth.ts"), "utf8");
  await writeFile(written("truth/broken.ts"), truth.replaceAll("// @ts-expect-error\n", ""));
  const errors = await check("ts58", written("truth/broken.ts"));
  const expected = truth.split("// @ts-expect-error\n").length - 1;
  const places = new Set(errors.flatMap((line) => /\((\d+),\d+\): error TS/.exec(line)?.[1] ?? []));
  assert.equal(places.size, expected);
});

test("the declarations for plain JavaScript declare the same types", async () => {
  const truth = await readFile(written("truth/truth.ts"), "utf8");
  await writeFile(written("js.ts"), truth.replace("./zocket.js", "./js/zocket.js"));
  const { mkdir, copyFile } = await import("node:fs/promises");
  await mkdir(written("js"), { recursive: true });
  await writeFile(written("package.json"), '{ "type": "module" }');
  for (const file of ["zocket.js", "zocket.d.ts"]) await copyFile(written(`truth/${file}`), written(`js/${file}`));
  assert.deepEqual(await check("ts58", written("js.ts")), []);
});

test("the runtime for plain JavaScript is the compiled runtime", async () => {
  const out = written("runtime");
  const project = fileURLToPath(new URL("runtime/compile", import.meta.url));
  await run(process.execPath, [bin("typescript"), "-p", project, "--outDir", out]);
  for (const file of ["runtime.js", "runtime.d.ts"]) {
    const kept = await readFile(new URL(`../../src/contract/typescript/${file}`, import.meta.url), "utf8");
    assert.equal(await readFile(`${out}/${file}`, "utf8"), kept, `${file}: compile it anew`);
  }
});

test("the runtime has at most 11,550 bytes minified, and 5,600 gzipped", async (t) => {
  const { transformSync } = await import("esbuild");
  const { gzipSync } = await import("node:zlib");
  const source = await readFile(new URL("../../src/contract/typescript/runtime.js", import.meta.url), "utf8");
  const { code } = transformSync(source, { minify: true, target: "es2020", format: "esm" });
  const bytes = gzipSync(code, { level: 9 }).length;
  t.diagnostic(`${code.length} bytes minified, ${bytes} gzipped`);
  assert.ok(code.length <= 11_550, `${code.length}`);
  // The builds of zlib in Node, and the processors that they use, differ by half a percent.
  assert.ok(bytes <= 5_600, `${bytes}`);
});
