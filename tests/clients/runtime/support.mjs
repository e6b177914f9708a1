// Shared code of the tests: the client of the fixture, and its fakes.
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { transformSync } from "esbuild";

export * from "./fakes.mjs";

const read = (path) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");

/** Returns the fixture's generated module as JavaScript. */
export function source(prelude = read("./prelude.ts")) {
  return transformSync(prelude + read("../../../src/contract/typescript/runtime.ts"), { loader: "ts", target: "es2020" }).code;
}

/** Compiles and imports the fixture's generated module. */
export async function load(prelude) {
  const code = source(prelude);
  const file = join(mkdtempSync(join(tmpdir(), "zocket-")), "zocket.mjs");
  writeFileSync(file, code);
  return import(pathToFileURL(file).href);
}
