// The generated files tie the React example to the Rust example: they equal the current export, and the React example
// does not compile after a field is renamed in Rust.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const repository = fileURLToPath(new URL("../..", import.meta.url));
const target = join(repository, "target");
const example = join(repository, "examples/react");
const generated = ["zocket.ts", "zocket-react.tsx"];

/** Returns the compiler's errors in the example or in a copy of it, line by line. */
async function check(folder) {
  try {
    await run(process.execPath, [join(example, "node_modules/typescript/bin/tsc"), "--noEmit", "--pretty", "false"], { cwd: folder });
    return [];
  } catch (error) {
    if (!error.stdout) throw error;
    return error.stdout.trim().split("\n");
  }
}

/** Returns a copy of the example with generated files of this server. */
async function regenerated(t, server) {
  const folder = await mkdtemp(join(target, "tmp/react-"));
  t.after(() => rm(folder, { recursive: true }));
  for (const name of ["package.json", "tsconfig.json", "vite.config.ts", "src"]) {
    await cp(join(example, name), join(folder, name), { recursive: true });
  }
  await symlink(join(example, "node_modules"), join(folder, "node_modules"));
  for (const name of generated) await rm(join(folder, "src", name));
  await run(server, ["--export-react", join(folder, "src")]);
  return folder;
}

before(() => mkdir(join(target, "tmp"), { recursive: true }));

test("the generated files of the React example match the chat's export and compile", async (t) => {
  const folder = await regenerated(t, join(target, "debug/examples/chat"));
  for (const name of generated) {
    const kept = await readFile(join(example, "src", name), "utf8");
    assert.equal(await readFile(join(folder, "src", name), "utf8"), kept, `${name}: export it again, as examples/react/README.md says`);
  }
  assert.deepEqual(await check(folder), []);
});

describe("the React example does not compile after a field of the Rust example is renamed", () => {
  // A copy of the workspace with another name for the chat. It shares the target folder, so that only Zocket itself is
  // compiled again.
  const workspace = join(target, "tmp/renamed");
  const rooms = join(workspace, "examples/renamed-chat/rooms.rs");
  let original;

  before(async () => {
    await rm(workspace, { recursive: true, force: true });
    await mkdir(workspace);
    for (const name of ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "src", "layers", "benches", "tests", "examples", "README.md"]) {
      // Keeps the timestamps, by which Cargo detects unchanged files.
      const filter = (path) => !path.includes("node_modules");
      await cp(join(repository, name), join(workspace, name), { recursive: true, preserveTimestamps: true, filter });
    }
    await rename(join(workspace, "examples/chat"), dirname(rooms));
    original = await readFile(rooms, "utf8");
  });
  after(() => rm(workspace, { recursive: true, force: true }));

  for (const [what, replacements, expected] of [
    [
      "in a message of the client",
      [
        [/(struct Post \{[^}]*\n    )text: String/, "$1body: String"],
        [/Post \{ room_id, text \}: Post/, "Post { room_id, body: text }: Post"],
      ],
      /^src\/chat\/useChat\.ts\(.*'text' does not exist in type 'Post'/m,
    ],
    [
      "in an event of the server",
      [
        [/(struct Said \{[^}]*\n    )text: String/, "$1body: String"],
        [/(let said = Said \{[^}]*\n        )text,/, "$1body: text,"],
      ],
      /^src\/components\/Messages\.tsx\(.*Property 'text' does not exist on type 'Said'/m,
    ],
    [
      "in an answer of the server",
      [
        [/(struct Present \{[^}]*\n    )who: /, "$1people: "],
        [/(Ok\(Present \{[^}]*\n        )who,/, "$1people: who,"],
      ],
      /^src\/chat\/room\.ts\(.*Property 'who' does not exist on type 'Present'/m,
    ],
  ]) {
    test(what, async (t) => {
      let text = original;
      for (const [pattern, replacement] of replacements) {
        assert.match(text, pattern, "expected this code in the Rust example, found other code: adapt the pattern");
        text = text.replace(pattern, replacement);
      }
      await writeFile(rooms, text);
      await run("cargo", ["build", "--locked", "--quiet", "--all-features", "--example", "renamed-chat"], {
        cwd: workspace, env: { ...process.env, CARGO_TARGET_DIR: target },
      });
      const folder = await regenerated(t, join(target, "debug/examples/renamed-chat"));
      const errors = (await check(folder)).join("\n");
      assert.match(errors, expected);
      // The generated files themselves have no errors.
      assert.doesNotMatch(errors, /^src\/zocket/m);
    });
  }
});
