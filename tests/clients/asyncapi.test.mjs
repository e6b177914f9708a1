// Parses the AsyncAPI document of `tests/contract/asyncapi.rs` with AsyncAPI's own parser.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import parser from "@asyncapi/parser";

const { Parser, DiagnosticSeverity } = parser;
const file = new URL("../../target/tmp/asyncapi.json", import.meta.url);

async function errorsOf(text) {
  const { diagnostics } = await new Parser().parse(text);
  const errors = diagnostics.filter(({ severity }) => severity === DiagnosticSeverity.Error);
  return errors.map(({ message, path }) => `${path.join(".")}: ${message}`);
}

test("the document is valid AsyncAPI 3", async () => {
  assert.deepEqual(await errorsOf(await readFile(file, "utf8")), []);
});

test("an invalid document is detected", async () => {
  const document = JSON.parse(await readFile(file, "utf8"));
  document.components.schemas.Link.properties = [];
  assert.notDeepEqual(await errorsOf(JSON.stringify(document)), []);
});
