// Compiles the programs in `refusals` with the client that the Rust test `tests/contract/typescript/refusals` writes.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const compilerOptions = {
  strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noPropertyAccessFromIndexSignature: true,
  verbatimModuleSyntax: true, isolatedModules: true, erasableSyntaxOnly: true, noUnusedLocals: true, noEmit: true,
  target: "es2022", module: "nodenext", jsx: "react-jsx", lib: ["es2022", "dom"], types: [], skipLibCheck: true,
};
const PROGRAMS = ["narrowing.ts", "without_data.ts", "hooks.tsx"];

let folder;
before(async () => {
  folder = await mkdtemp(at("../../target/tmp/refusals-"));
  await cp(at("../../target/tmp/refusals"), folder, { recursive: true });
  await symlink(at("node_modules"), join(folder, "node_modules"));
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
});
after(() => rm(folder, { recursive: true }));

/** Returns the errors of a compiler, line by line. */
async function check(compiler, programs) {
  for (const [name, text] of Object.entries(programs)) await writeFile(join(folder, name), text);
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: Object.keys(programs) }));
  const bin = require.resolve(`${compiler}/package.json`).replace("package.json", "bin/tsc");
  try {
    await run(process.execPath, [bin, "-p", folder, "--pretty", "false"]);
    return [];
  } catch (error) {
    if (!error.stdout) throw error;
    return error.stdout.trim().split("\n");
  }
}

for (const [name, compiler] of Object.entries({ "5.8": "ts58", newest: "typescript" })) {
  for (const program of PROGRAMS) {
    test(`TypeScript ${name} accepts ${program}`, async () => {
      assert.deepEqual(await check(compiler, { [program]: await readFile(at(`refusals/${program}`), "utf8") }), []);
    });
  }
}

test("each expected error is one", async () => {
  const programs = {};
  let expected = 0;
  for (const program of PROGRAMS) {
    const text = await readFile(at(`refusals/${program}`), "utf8");
    expected += text.split("// @ts-expect-error\n").length - 1;
    programs[program] = text.replaceAll("// @ts-expect-error\n", "\n");
  }
  const errors = await check("ts58", programs);
  const places = new Set(errors.flatMap((line) => /^\S*\(\d+,/.exec(line)?.[0] ?? []));
  assert.equal(places.size, expected, errors.join("\n"));
});
