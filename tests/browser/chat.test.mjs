// Uses the chat example like two people: its binary, its page, two windows of a headless Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { at, fillRoom, launch, open as openAt, say, says, serve, state, stop } from "./support.mjs";

let server, browser, ann, bob;
const complaints = [];
const open = (query) => openAt(browser, server.url + query, complaints);

before(async () => {
  server = await serve();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server?.child.kill("SIGKILL");
});

test("one person joins by the form and another by a link, and both see each other", async () => {
  ann = await open("");
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

test("a person whose name the server refuses reads why, and may enter another", async () => {
  const eve = await open(`?name=${"x".repeat(41)}&room=lobby`);
  await at(eve, "error").filter({ hasText: "at most 40" }).waitFor();
  await at(eve, "name-input").fill("Eve");
  await at(eve, "enter-button").click();
  await state(eve, "online");
  await eve.context().close();
});

test("they chat", async () => {
  await say(ann, "Hello <b>Bob</b>");
  await says(bob, "Hello <b>Bob</b>");
  await bob.getByTestId("message-input").pressSequentially("Hel");
  await at(ann, "typing").filter({ hasText: "Bob" }).waitFor();
  await say(bob, "Hello Ann");
  await says(ann, "Hello Ann");
  // The own message arrives as an event and as an answer, and is shown once.
  assert.equal(await at(ann, "message").count(), 2);
});

test("an admin's announcement reaches everyone", async () => {
  await at(ann, "announce-input").fill("Tea is ready");
  await at(ann, "announce-send").click();
  await at(bob, "announcement").filter({ hasText: "Tea is ready" }).waitFor();
});

test("an error is shown where it occurs", async () => {
  await at(bob, "room-input").fill("x".repeat(65));
  await at(bob, "room-join").click();
  await at(bob, "error").filter({ hasText: "64" }).waitFor();
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

test("the page shows a restart of the server and continues", async () => {
  await stop(server, "SIGKILL");
  await Promise.all([state(ann, "reconnecting"), state(bob, "reconnecting")]);
  server = await serve(server.port);
  await Promise.all([state(ann, "online"), state(bob, "online")]);
  await at(ann, "who-item").filter({ hasText: "Bob" }).waitFor();
  await at(bob, "who-item").filter({ hasText: "Ann" }).waitFor();
  await say(bob, "Here again");
  await says(ann, "Here again");
});

test("a client of the base protocol takes part in the chat", async () => {
  const heard = await ann.evaluate(async () => {
    const socket = new WebSocket("/ws?name=Old");
    const types = [];
    const next = (wanted) => new Promise((resolve) => {
      socket.addEventListener("message", ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.type === wanted) resolve(frame);
      });
    });
    socket.addEventListener("message", ({ data }) => types.push(JSON.parse(data).type));
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    const joined = next("__rpc_res");
    socket.send(JSON.stringify({ type: "chat.join", payload: { roomId: "lobby" }, rpcId: "1" }));
    await joined;
    const message = next("chat.message");
    socket.send(JSON.stringify({ type: "chat.post", payload: { roomId: "lobby", text: "by hand" } }));
    const { payload } = await message;
    socket.close();
    return { text: payload.text, types };
  });
  assert.equal(heard.text, "by hand");
  // No frame of the extended protocol.
  assert.deepEqual(heard.types.filter((type) => type.startsWith("__")), ["__rpc_res"]);
  await says(bob, "by hand");
});

test("a person who leaves disappears from the list", async () => {
  await bob.context().close();
  await at(ann, "who-item").filter({ hasText: "Bob" }).waitFor({ state: "detached" });
});

test("SIGTERM ends the server cleanly while a client is connected", async () => {
  const [code, signal] = await stop(server, "SIGTERM");
  assert.deepEqual([code, signal], [0, null]);
  await state(ann, "reconnecting");
});

test("no page threw an error", () => {
  assert.deepEqual(complaints, []);
});
