// The chat's front end in React, as people build it: generated, type-checked, built, and used in two windows.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { cp, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { Browser, at, one, say, serve, shows, sleep, state, stop } from "./support.mjs";

const run = promisify(execFile);
const app = at("examples/react");
const bin = (path) => `${app}/node_modules/${path}`;

/** What TypeScript objects to in a project: nothing, or its complaints. */
async function check(project) {
  try {
    await run(process.execPath, [bin("typescript/bin/tsc"), "-p", project]);
    return "";
  } catch (error) {
    return error.stdout;
  }
}

/** Serves what was built, with the sockets handed on to the chat. */
async function preview(chat) {
  const args = [bin("vite/bin/vite.js"), "preview", "--port", "0"];
  const child = spawn(process.execPath, args, { cwd: app, env: { ...process.env, CHAT: chat, NO_COLOR: "1" }, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /(http:\/\/127\.0\.0\.1:\d+\/)/.exec(line)?.[1];
    if (url) {
      child.stdout.resume();
      return { child, url };
    }
  }
  throw new Error("Vite said nothing");
}

let server, pages, browser, ann, bob;

before(async () => {
  await run(at("target/debug/examples/chat"), ["--export", `${app}/src/zocket`]);
  server = await serve();
  browser = await Browser.launch();
});

after(async () => {
  await browser?.close();
  server?.child.kill("SIGKILL");
  pages?.child.kill("SIGKILL");
});

test("it compiles and builds", async () => {
  assert.equal(await check(app), "");
  await run(process.execPath, [bin("vite/bin/vite.js"), "build"], { cwd: app });
  pages = await preview(server.url);
});

test("someone enters by the form, someone else by a link, and they chat", async () => {
  ann = await browser.open(pages.url);
  await one(ann, "name-input").fill("Ann");
  await one(ann, "role-select").selectOption("admin");
  await one(ann, "enter-button").click();
  await state(ann, "online");
  bob = await browser.open(`${pages.url}?name=Bob`);
  await state(bob, "online");
  await one(ann, "who-item").filter({ hasText: "Bob" }).waitFor();
  await say(ann, "Hello <b>Bob</b>");
  await shows(bob, "Hello <b>Bob</b>");
  await one(bob, "message-input").pressSequentially("Hel");
  await one(ann, "typing").filter({ hasText: "Bob" }).waitFor();
  await say(bob, "Hello Ann");
  await shows(ann, "Hello Ann");
  assert.equal(await one(ann, "message").count(), 2);
  await one(ann, "announce-input").fill("Tea is ready");
  await one(ann, "announce-send").click();
  await one(bob, "announcement").filter({ hasText: "Tea is ready" }).waitFor();
});

test("what the server objects to is shown where it was written", async () => {
  await one(bob, "room-input").fill("x".repeat(65));
  await one(bob, "room-join").click();
  await one(bob, "error").filter({ hasText: "at most 64 characters" }).waitFor();
  await say(bob, "y".repeat(501));
  await one(bob, "error").filter({ hasText: "at most 500 characters" }).waitFor();
  assert.equal(await one(bob, "message-input").inputValue(), "y".repeat(501));
  await one(bob, "message-input").fill("");
});

test("rooms are joined and left", async () => {
  await one(bob, "room-input").fill("den");
  await one(bob, "room-join").click();
  await one(bob, "room-item").filter({ hasText: "den" }).waitFor();
  await say(bob, "Nobody here");
  await shows(bob, "Nobody here");
  await one(bob, "room-leave").click();
  await one(bob, "room-item").filter({ hasText: "den" }).waitFor({ state: "detached" });
  await shows(bob, "Hello Ann");
  assert.equal(await one(ann, "message-text").filter({ hasText: "Nobody here" }).count(), 0);
});

test("the server goes and comes back: the page says so, and goes on", async () => {
  await stop(server, "SIGKILL");
  await Promise.all([state(ann, "reconnecting"), state(bob, "reconnecting")]);
  server = await serve(server.port);
  await Promise.all([state(ann, "online"), state(bob, "online")]);
  await one(ann, "who-item").filter({ hasText: "Bob" }).waitFor();
  await say(bob, "Here again");
  await shows(ann, "Here again");
});

test("a page that was in the background for a while goes on where it was", async () => {
  await sleep(bob, async () => {
    await stop(server, "SIGKILL");
    server = await serve(server.port);
    await state(ann, "online");
  });
  await state(bob, "online");
  await one(bob, "who-item").filter({ hasText: "Ann" }).waitFor();
  await say(bob, "Awake");
  await shows(ann, "Awake");
});

test("no page threw an error", () => {
  assert.deepEqual(browser.complaints, []);
});

test("a field renamed in Rust is an error of TypeScript's at each place that used it", async () => {
  // A copy of the project, for a field of the chat to be renamed in. Its dependencies are built already.
  const copy = at("target/tmp/renamed");
  await rm(copy, { recursive: true, force: true });
  await mkdir(copy, { recursive: true });
  for (const part of ["Cargo.toml", "Cargo.lock", "README.md", "src", "layers", "benches", "tests", "examples"]) {
    await cp(at(part), `${copy}/${part}`, { recursive: true, filter: (path) => !/node_modules|\/dist$|src\/zocket$/.test(path) });
  }
  await rename(`${copy}/examples/chat`, `${copy}/examples/renamed_chat`);
  const file = `${copy}/examples/renamed_chat/rooms.rs`;
  const rust = await readFile(file, "utf8");
  const renamed = rust
    .replace("    id: String,\n    room_id: String,\n    text: String,", "    id: String,\n    room_id: String,\n    body: String,")
    .replace("        room_id: room_id.clone(),\n        text,\n", "        room_id: room_id.clone(),\n        body: text,\n");
  assert.equal(renamed.split("body").length, 3, "the field is not where it was");
  await writeFile(file, renamed);
  await run("cargo", ["build", "--quiet", "--all-features", "--example", "renamed_chat", "--target-dir", at("target")], { cwd: copy });
  const generated = `${copy}/examples/react/src/zocket`;
  await run(at("target/debug/examples/renamed_chat"), ["--export", generated]);
  await symlink(`${app}/node_modules`, `${copy}/examples/react/node_modules`);

  const complaints = await check(`${copy}/examples/react`);
  assert.match(complaints, /src\/Room\.tsx.*error TS2339: Property 'text' does not exist on type 'Said'/);
  // And nothing else.
  assert.equal(complaints.trim().split("\n").length, 1, complaints);
});
