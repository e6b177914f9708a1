// The chat example as people use it: its binary, its page, two windows of a headless Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, one, say, serve, shows, sleep, state, stop } from "./support.mjs";

let server, browser, ann, bob;

before(async () => {
  server = await serve();
  browser = await Browser.launch();
});

after(async () => {
  await browser?.close();
  server?.child.kill("SIGKILL");
});

test("someone enters by the form, someone else by a link, and each sees the other", async () => {
  ann = await browser.open(server.url);
  await one(ann, "name-input").fill("Ann");
  await one(ann, "role-select").selectOption("admin");
  await one(ann, "enter-button").click();
  await state(ann, "online");
  bob = await browser.open(`${server.url}?name=Bob&room=lobby`);
  await state(bob, "online");
  for (const page of [ann, bob]) {
    await one(page, "who-item").filter({ hasText: "Ann" }).waitFor();
    await one(page, "who-item").filter({ hasText: "Bob" }).waitFor();
  }
});

test("they chat", async () => {
  await say(ann, "Hello <b>Bob</b>");
  await shows(bob, "Hello <b>Bob</b>");
  await bob.getByTestId("message-input").pressSequentially("Hel");
  await one(ann, "typing").filter({ hasText: "Bob" }).waitFor();
  await say(bob, "Hello Ann");
  await shows(ann, "Hello Ann");
  // One's own message comes twice, as an event and as an answer, and is shown once.
  assert.equal(await one(ann, "message").count(), 2);
});

test("an admin's announcement reaches everyone", async () => {
  await one(ann, "announce-input").fill("Tea is ready");
  await one(ann, "announce-send").click();
  await one(bob, "announcement").filter({ hasText: "Tea is ready" }).waitFor();
});

test("an error is shown where it occurs", async () => {
  await one(bob, "room-input").fill("x".repeat(65));
  await one(bob, "room-join").click();
  await one(bob, "error").filter({ hasText: "64" }).waitFor();
});

test("the server goes and comes back: the page says so, and goes on", async () => {
  await stop(server, "SIGKILL");
  await Promise.all([state(ann, "reconnecting"), state(bob, "reconnecting")]);
  server = await serve(server.port);
  await Promise.all([state(ann, "online"), state(bob, "online")]);
  await one(ann, "who-item").filter({ hasText: "Bob" }).waitFor();
  await one(bob, "who-item").filter({ hasText: "Ann" }).waitFor();
  await say(bob, "Here again");
  await shows(ann, "Here again");
});

test("a page that was in the background for a while goes on where it was", async () => {
  await sleep(bob, async () => {
    await stop(server, "SIGKILL");
    server = await serve(server.port);
    await state(ann, "online");
    await say(ann, "Bob is asleep");
    await shows(ann, "Bob is asleep");
  });
  await state(bob, "online");
  await one(bob, "who-item").filter({ hasText: "Ann" }).waitFor();
  await say(bob, "Awake");
  await shows(ann, "Awake");
});

test("a client of the base protocol chats beside them", async () => {
  const heard = await ann.evaluate(async (name) => {
    const socket = new WebSocket(`/ws?name=${name}`);
    const frames = [];
    const next = (type) => new Promise((resolve) => {
      socket.addEventListener("message", ({ data }) => {
        const frame = JSON.parse(data);
        frames.push(frame.type);
        if (frame.type === type) resolve(frame);
      });
    });
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    const joined = next("__rpc_res");
    socket.send(JSON.stringify({ type: "chat.join", payload: { roomId: "lobby" }, rpcId: "1" }));
    await joined;
    const message = next("chat.message");
    socket.send(JSON.stringify({ type: "chat.post", payload: { roomId: "lobby", text: "by hand" } }));
    const { payload } = await message;
    socket.close();
    return { text: payload.text, frames };
  }, "Old");
  assert.equal(heard.text, "by hand");
  // Not one frame of what newer clients negotiate.
  assert.deepEqual(heard.frames.filter((type) => type.startsWith("__")), ["__rpc_res"]);
  await shows(bob, "by hand");
});

test("who leaves is gone from the list", async () => {
  await bob.context().close();
  await one(ann, "who-item").filter({ hasText: "Bob" }).waitFor({ state: "detached" });
});

test("SIGTERM ends the server cleanly, with a client connected", async () => {
  const [code, signal] = await stop(server, "SIGTERM");
  assert.deepEqual([code, signal], [0, null]);
  await state(ann, "reconnecting");
});

test("no page threw an error", () => {
  assert.deepEqual(browser.complaints, []);
});
