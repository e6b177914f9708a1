// What the tests share: the client built from the fixture, and the fakes that it runs on.
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { transformSync } from "esbuild";

export * from "./fakes.mjs";

const read = (path) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");

/** The fixture's generated module, from its TypeScript. */
export async function load(prelude = read("./prelude.ts")) {
  const { code } = transformSync(prelude + read("../../../src/contract/typescript/runtime.ts"), { loader: "ts", target: "es2020" });
  const file = join(mkdtempSync(join(tmpdir(), "zocket-")), "zocket.mjs");
  writeFileSync(file, code);
  return import(pathToFileURL(file).href);
}
