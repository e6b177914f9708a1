// Uses the chat's React front end, which Vite builds and serves in front of the chat example, in a headless Chromium.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createServer, preview } from "../../examples/react/node_modules/vite/dist/node/index.js";
import { at, fillRoom, launch, launchUnforced, open as openAt, openIn, say, says, serve, state, stop } from "./support.mjs";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../examples/react", import.meta.url));

let server, site, browser, ann, bob;
const complaints = [];
const address = () => site.resolvedUrls.local[0];
const open = (query) => openAt(browser, address() + query, complaints);

/** Returns the configuration of the file, with this test's server as WebSocket target, and without log output. */
const config = () => {
  const there = { host: "127.0.0.1", proxy: { "/ws": { target: `ws://127.0.0.1:${server.port}`, ws: true } } };
  return { root, logLevel: "silent", clearScreen: false, server: there, preview: there };
};

before(async () => {
  // Checks the types, then builds the bundle.
  await run("npm", ["run", "build"], { cwd: root });
  server = await serve();
  site = await preview(config());
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await site?.close();
  server?.child.kill("SIGKILL");
});

test("a name that the server would refuse shows an error beside its field", async () => {
  ann = await open("");
  await at(ann, "enter-button").click();
  await at(ann, "error").filter({ hasText: "name" }).waitFor();
  await at(ann, "name-input").fill("x".repeat(41));
  await at(ann, "enter-button").click();
  await at(ann, "error").filter({ hasText: "40" }).waitFor();
  assert.equal(await at(ann, "name-input").getAttribute("aria-invalid"), "true");
});

test("one person joins by the form and another by a link, and both see each other", async () => {
  await at(ann, "name-input").fill("Ann");
  await at(ann, "role-select").selectOption("admin");
  await at(ann, "enter-button").click();
  await state(ann, "online");
  bob = await open("?name=Bob&room=lobby");
  await state(bob, "online");
  for (const page of [ann, bob]) {
    await at(page, "who-item").filter({ hasText: "Ann" }).waitFor();
    await at(page, "who-item").filter({ hasText: "Bob" }).waitFor();
  }
});

test("a person whose name the server refuses reads why, and is not tried again", async () => {
  const eve = await open(`?name=${"x".repeat(41)}&room=lobby`);
  await at(eve, "error").filter({ hasText: "at most 40" }).waitFor();
  await state(eve, "offline");
  assert.equal(await at(eve, "error").filter({ hasText: "server is running" }).count(), 0);
  await eve.context().close();
});

test("they chat", async () => {
  await say(ann, "Hello <b>Bob</b>");
  await says(bob, "Hello <b>Bob</b>");
  await at(bob, "message-input").pressSequentially("Hel");
  await at(ann, "typing").filter({ hasText: "Bob" }).waitFor();
  await say(bob, "Hello Ann");
  await says(ann, "Hello Ann");
  await at(ann, "typing").waitFor({ state: "detached" });
  // The own message arrives as an event and as an answer, and is shown once.
  assert.equal(await at(ann, "message").count(), 2);
});

test("an admin's announcement reaches everyone, and other people can't announce", async () => {
  await at(ann, "announce-input").fill("Tea is ready");
  await at(ann, "announce-send").click();
  await at(bob, "announcement").filter({ hasText: "Tea is ready" }).waitFor();
  await at(bob, "announcement-dismiss").click();
  await at(bob, "announcement").waitFor({ state: "detached" });
  assert.equal(await at(bob, "announce-input").count(), 0);
});

test("an error of the server is shown beside the field until its value changes", async () => {
  for (const [field, submit, value, said] of [
    ["room-input", "room-join", "x".repeat(65), "64"],
    ["announce-input", "announce-send", "x".repeat(501), "500"],
    ["message-input", "send-button", "x".repeat(501), "500"],
  ]) {
    await at(ann, field).fill(value);
    await at(ann, submit).click();
    const error = at(ann, "error");
    await error.filter({ hasText: said }).waitFor();
    // The error is linked to its field, and the text can still be edited.
    assert.equal(await at(ann, field).getAttribute("aria-describedby"), await error.getAttribute("id"));
    assert.equal(await at(ann, field).inputValue(), value);
    await at(ann, field).fill("");
    await error.waitFor({ state: "detached" });
  }
});

test("people join and leave rooms, and unread messages of other rooms are counted", async () => {
  await at(ann, "room-input").fill("garden");
  await at(ann, "room-join").click();
  await ann.locator('[data-testid=room-item][aria-current=true]').filter({ hasText: "garden" }).waitFor();
  assert.equal(await at(ann, "message").count(), 0);
  await say(bob, "Where are you?");
  await at(ann, "room-item").filter({ hasText: /lobby.*1/ }).click();
  await says(ann, "Where are you?");
  await at(ann, "room-item").filter({ hasText: "garden" }).click();
  await at(ann, "room-leave").click();
  await at(ann, "room-item").filter({ hasText: "garden" }).waitFor({ state: "detached" });
  await says(ann, "Where are you?");
});

test("a person who can't join because the room is full reads how many people it holds", async () => {
  const crowd = await open("?name=Crowd&room=lobby");
  await state(crowd, "online");
  await fillRoom(crowd, "full");
  await at(bob, "room-input").fill("full");
  await at(bob, "room-join").click();
  await at(bob, "error").filter({ hasText: "This room is full: it holds 100 people" }).waitFor();
  await crowd.context().close();
  await at(bob, "room-input").fill("");
});

test("the page shows a restart of the server with the time of the next attempt and continues in its rooms", async () => {
  await stop(server, "SIGKILL");
  await Promise.all([state(ann, "reconnecting"), state(bob, "reconnecting")]);
  await at(bob, "status").filter({ hasText: /Reconnecting in \d+ s/i }).waitFor();
  // Posted without a connection, the message is sent after the room is joined again.
  await say(bob, "Here again");
  await at(bob, "message").filter({ hasText: "sending" }).waitFor();
  server = await serve(server.port);
  await at(bob, "reconnect-now").click();
  await Promise.all([state(ann, "online"), state(bob, "online")]);
  await at(bob, "message").filter({ hasText: "sending" }).waitFor({ state: "detached" });
  await at(ann, "who-item").filter({ hasText: "Bob" }).waitFor();
  await at(bob, "who-item").filter({ hasText: "Ann" }).waitFor();
  assert.equal(await at(bob, "message").filter({ hasText: "Here again" }).count(), 1);
  await say(bob, "Do you hear me?");
  await says(ann, "Do you hear me?");
});

test("a background tab receives messages, and a frozen one reconnects when it becomes visible", async (t) => {
  const [context] = (await launchUnforced(t)).contexts();
  const carl = await openIn(context, `${address()}?name=Carl`, complaints);
  await state(carl, "online");
  await at(ann, "who-item").filter({ hasText: "Carl" }).waitFor();
  await context.newPage();
  await say(ann, "Are you there?");
  // Playwright polls with each frame, and hidden pages are not painted, so poll by time.
  await carl.waitForFunction(() => document.hidden && document.title.startsWith("(1)"), undefined, { polling: 100 });

  const cdp = await context.newCDPSession(carl);
  await cdp.send("Page.setWebLifecycleState", { state: "frozen" });
  await stop(server, "SIGKILL");
  await Promise.all([state(ann, "reconnecting"), state(bob, "reconnecting")]);
  server = await serve(server.port);
  await Promise.all([state(ann, "online"), state(bob, "online")]);
  await cdp.send("Page.setWebLifecycleState", { state: "active" });
  await carl.bringToFront();

  await carl.getByText("You are back").waitFor();
  await state(carl, "online");
  assert.ok(!(await carl.title()).startsWith("("), "messages on a visible page count as read");
  await say(carl, "Good morning");
  await says(ann, "Good morning");
});

test("a reload keeps the person and the rooms", async () => {
  await at(ann, "room-input").fill("garden");
  await at(ann, "room-join").click();
  await at(ann, "room-item").filter({ hasText: "garden" }).waitFor();
  await ann.reload();
  await state(ann, "online");
  await at(ann, "room-item").filter({ hasText: "lobby" }).waitFor();
  await ann.locator('[data-testid=room-item][aria-current=true]').filter({ hasText: "garden" }).waitFor();
  await at(ann, "announce-input").waitFor();
  await at(ann, "room-leave").click();
});

test("a narrow window opens rooms and people as overlays and does not scroll sideways", async () => {
  await bob.setViewportSize({ width: 360, height: 640 });
  assert.equal(await bob.evaluate(() => document.documentElement.scrollWidth), 360);
  await bob.getByRole("button", { name: /^Rooms/ }).click();
  await at(bob, "room-input").fill("attic");
  await at(bob, "room-join").click();
  await bob.getByRole("heading", { name: "attic" }).waitFor();
  await at(bob, "room-input").waitFor({ state: "hidden" });
  await at(bob, "room-leave").click();
  await bob.getByRole("heading", { name: "lobby" }).waitFor();
  await bob.getByRole("button", { name: /^People in this room/ }).click();
  await at(bob, "who-item").filter({ hasText: "Ann" }).waitFor();
  await bob.keyboard.press("Escape");
  await at(bob, "who-item").first().waitFor({ state: "hidden" });
});

test("a person who leaves disappears from the list, and sees the form again", async () => {
  await at(bob, "sign-out").click();
  await at(bob, "name-input").waitFor();
  await at(ann, "who-item").filter({ hasText: "Bob" }).waitFor({ state: "detached" });
});

test("the page works on Vite's development server, where React mounts everything twice", async () => {
  const working = await createServer(config());
  try {
    await working.listen();
    const dora = await openAt(browser, `${working.resolvedUrls.local[0]}?name=Dora`, complaints);
    await state(dora, "online");
    await at(ann, "who-item").filter({ hasText: "Dora" }).waitFor();
    await say(dora, "Hello from the workshop");
    await says(ann, "Hello from the workshop");
    assert.equal(await at(dora, "message").count(), 1);
    assert.equal(await at(ann, "message").filter({ hasText: "workshop" }).count(), 1);
    await dora.context().close();
  } finally {
    await working.close();
  }
});

test("no page threw an error", () => {
  assert.deepEqual(complaints, []);
});
