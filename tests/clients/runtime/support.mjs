// Shared code of the tests: the client of the fixture, and its fakes.
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { transformSync } from "esbuild";

export * from "./fakes.mjs";

const read = (path) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");

/** Compiles and imports the fixture's generated module. */
export async function load(prelude = read("./prelude.ts")) {
  const { code } = transformSync(prelude + read("../../../src/contract/typescript/runtime.ts"), { loader: "ts", target: "es2020" });
  const file = join(mkdtempSync(join(tmpdir(), "zocket-")), "zocket.mjs");
  writeFileSync(file, code);
  return import(pathToFileURL(file).href);
}
