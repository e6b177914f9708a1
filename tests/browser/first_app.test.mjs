// The first app of the guide, built from the code blocks of its page as a separate crate, and used like the page describes.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { launch, openIn, serve, stop } from "./support.mjs";

const run = promisify(execFile);
const repository = fileURLToPath(new URL("../..", import.meta.url));
const target = join(repository, "target");
const crate = join(target, "tmp/first-app");
const binary = join(target, "debug/first-app");

let server, browser, ann, bob;
const complaints = [];
const status = (page, text) => page.locator("#status").filter({ hasText: text }).waitFor();
const line = (page, text) => page.locator("#lines li").filter({ hasText: text }).waitFor();

before(async () => {
  const page = await readFile(join(repository, "src/guide/first_app.md"), "utf8");
  const block = (kind) => {
    const found = [...page.matchAll(/^```(.*)\n([^]*?)^```$/gm)].filter(([, info]) => info === kind);
    assert.equal(found.length, 1, `the page has one block of ${kind}`);
    return found[0][2];
  };
  const manifest = block("toml").replace('path = "../zocket"', `path = ${JSON.stringify(repository)}`);
  assert.ok(manifest.includes(repository), "the page says how to depend on Zocket");
  await rm(crate, { recursive: true, force: true });
  await mkdir(join(crate, "src"), { recursive: true });
  // A workspace of its own: it is in the folder of another.
  await writeFile(join(crate, "Cargo.toml"), `${manifest}\n[workspace]\n`);
  await copyFile(join(repository, "Cargo.lock"), join(crate, "Cargo.lock"));
  await writeFile(join(crate, "src/main.rs"), block("rust,ignore"));
  await writeFile(join(crate, "src/index.html"), block("html"));
  // As the examples are built, so that their dependencies need not be built again.
  const env = { ...process.env, CARGO_TARGET_DIR: target, CARGO_PROFILE_DEV_DEBUG: "line-tables-only" };
  await run("cargo", ["build", "--quiet"], { cwd: crate, env });
  server = await serve(0, binary);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server?.child.kill("SIGKILL");
});

test("both tabs connect", async () => {
  const context = await browser.newContext();
  ann = await openIn(context, `${server.url}/?name=Ann`, complaints);
  bob = await openIn(context, `${server.url}/?name=Bob`, complaints);
  await Promise.all([status(ann, "Ann: open"), status(bob, "Bob: open")]);
});

test("a line reaches both tabs", async () => {
  await ann.locator("#text").fill("hello");
  await ann.getByRole("button").click();
  await Promise.all([line(ann, "Ann: hello"), line(bob, "Ann: hello")]);
  assert.equal(await ann.locator("#text").inputValue(), "");
});

test("an empty line is refused, and the tab shows the reason", async () => {
  await bob.getByRole("button").click();
  await bob.locator("#error").filter({ hasText: "at least 1 character, got 0" }).waitFor();
  assert.equal(await ann.locator("#lines li").count(), 1);
});

test("the tabs reconnect after a restart of the server and continue", async () => {
  await stop(server, "SIGINT");
  await Promise.all([status(ann, "reconnecting"), status(bob, "reconnecting")]);
  server = await serve(server.port, binary);
  await Promise.all([status(ann, "Ann: open"), status(bob, "Bob: open")]);
  await bob.locator("#text").fill("back again");
  await bob.getByRole("button").click();
  await line(ann, "Bob: back again");
  assert.equal(await bob.locator("#error").textContent(), "");
});

test("no page threw an error", () => {
  assert.deepEqual(complaints, []);
});
