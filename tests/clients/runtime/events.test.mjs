import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { client as connecting, consoleOf, load, opened, outcome, replace, settled } from "./support.mjs";

const zocket = await load();
const say = (socket, text) => socket.receive({ type: "chat.message", payload: { text, from: "Bob" } });

describe("the client's tree", () => {
  test("has the same functions at each access", async () => {
    const { client } = await connecting(zocket);
    assert.equal(client.chat, client.chat);
    assert.equal(client.chat.post, client.chat.post);
    assert.equal(client.chat.post.safe, client.chat.post.safe);
    assert.equal(client.on.chat.message, client.on.chat.message);
    assert.equal(client.onStatus, client.onStatus);
    assert.equal(client.chat.post.route, "chat.post");
    assert.equal(client.on.chat.message.route, "chat.message");
    client.close();
  });

  test("is not a promise and can be returned from an async function", async () => {
    const { client } = await connecting(zocket);
    assert.equal(await client, client);
    client.close();
  });

  test("supports segments that are members of every object", async () => {
    const odd = await load(
      'const CONTRACT = { version: "0", hash: "0", outgoing: ["toString.constructor"], ' +
        'incoming: { "constructor.toString": false, "a.constructor": false, "a.b.c.d": true } };\n',
    );
    const { client, socket } = await opened(odd);
    client.constructor.toString();
    client.a.constructor();
    client.a.b.c.d(1);
    assert.deepEqual(socket.sent.map(({ type }) => type), ["constructor.toString", "a.constructor", "a.b.c.d"]);
    assert.equal(client.on.toString.constructor.route, "toString.constructor");
  });
});

describe("listeners", () => {
  test("receive events until they are removed", async () => {
    const { client, socket } = await opened(zocket);
    const heard = [];
    const off = client.on.chat.message(({ text }) => heard.push(text));
    say(socket, "1");
    off();
    off();
    say(socket, "2");
    assert.deepEqual(heard, ["1"]);
  });

  test("that are the same function are separate subscriptions", async () => {
    const { client, socket } = await opened(zocket);
    let times = 0;
    const listener = () => ++times;
    const off = client.on.chat.message(listener);
    client.on.chat.message(listener);
    say(socket, "1");
    off();
    say(socket, "2");
    assert.equal(times, 3);
  });

  test("that throw do not affect the others and are reported", async (t) => {
    const reported = consoleOf(t, "error");
    const { client, socket } = await opened(zocket);
    const heard = [];
    client.on.chat.message(() => { throw new Error("mine"); });
    client.on.chat.message(({ text }) => heard.push(text));
    client.onStatus(() => { throw new Error("status"); });
    client.onClose(() => { throw new Error("close"); });
    say(socket, "1");
    assert.deepEqual(heard, ["1"]);
    socket.end(1006);
    assert.equal(client.status, "reconnecting");
    assert.deepEqual(reported.map(([error]) => error.message), ["mine", "status", "close"]);
    client.close();
  });

  test("that throw in a page are reported by reportError", async (t) => {
    const reported = [];
    replace(t, globalThis, "document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
    replace(t, globalThis, "addEventListener", () => {});
    replace(t, globalThis, "removeEventListener", () => {});
    replace(t, globalThis, "reportError", (error) => reported.push(error.message));
    const { client, socket } = await opened(zocket);
    client.on.chat.message(() => { throw new Error("mine"); });
    say(socket, "1");
    assert.deepEqual(reported, ["mine"]);
    client.close();
  });

  test("that are added or removed during a delivery do not receive its event", async () => {
    const { client, socket } = await opened(zocket);
    const heard = [];
    client.on.chat.message(() => {
      off();
      client.on.chat.message(() => heard.push("added"));
    });
    const off = client.on.chat.message(() => heard.push("taken off"));
    say(socket, "1");
    assert.deepEqual(heard, []);
  });

  test("survive a reconnect", async () => {
    const it = await opened(zocket);
    const heard = [];
    it.client.on.chat.message(({ text }) => heard.push(text));
    it.socket.end(1006);
    await it.clock.advance(500);
    it.socket.welcome();
    say(it.socket, "again");
    assert.deepEqual(heard, ["again"]);
  });
});

describe("frames", () => {
  test("of an unknown type are ignored", async (t) => {
    const warned = consoleOf(t, "warn");
    const { client, socket } = await opened(zocket);
    for (const frame of [{ type: "other" }, { type: "__pong" }, { type: 7 }, {}, null, 1, [], { type: "__rpc_res", rpcId: 99 }]) {
      socket.receive(frame);
    }
    assert.equal(client.status, "open");
    assert.deepEqual(warned, []);
  });

  test("that are not JSON are reported to onError", async () => {
    const { client, socket } = await opened(zocket);
    const told = [];
    client.onError(({ code }) => told.push(code));
    socket.receiveText("{");
    assert.deepEqual(told, ["PARSE_ERROR"]);
  });

  test("of type __error are reported to onError with the route", async () => {
    const { client, socket } = await opened(zocket);
    const told = [];
    client.onError(({ code, message, route }) => told.push({ code, message, route }));
    socket.receive({ type: "__error", payload: { type: "chat.typing", code: "FORBIDDEN", message: "no" } });
    assert.deepEqual(told, [{ code: "FORBIDDEN", message: "no", route: "chat.typing" }]);
  });

  test("that fail are logged as a warning if nobody listens", async (t) => {
    const warned = consoleOf(t, "warn");
    const { socket } = await opened(zocket);
    socket.receive({ type: "__error", payload: { code: "FORBIDDEN", message: "no" } });
    assert.equal(warned.length, 1);
  });
});

describe("a loop over events", () => {
  test("receives every event since its start in order and ends with the client", async () => {
    const { client, socket } = await opened(zocket);
    const heard = [];
    const loop = (async () => {
      for await (const { text } of client.on.chat.message) heard.push(text);
    })();
    say(socket, "1");
    say(socket, "2");
    await settled();
    say(socket, "3");
    client.close();
    await loop;
    assert.deepEqual(heard, ["1", "2", "3"]);
  });

  test("continues after a reconnect", async () => {
    const it = await opened(zocket);
    const events = it.client.on.chat.message[Symbol.asyncIterator]();
    const next = events.next();
    it.socket.end(1006);
    await it.clock.advance(500);
    it.socket.welcome();
    say(it.socket, "again");
    assert.equal((await next).value.text, "again");
  });

  test("removes its listener when it is left", async () => {
    const { client, socket } = await opened(zocket);
    const events = client.on.chat.message[Symbol.asyncIterator]();
    say(socket, "1");
    await events.return();
    say(socket, "2");
    assert.deepEqual(await events.next(), { done: true, value: undefined });
  });

  test("settles concurrent calls of next() in order", async () => {
    const { client, socket } = await opened(zocket);
    const events = client.on.chat.message[Symbol.asyncIterator]();
    const asked = [events.next(), events.next()];
    await settled();
    say(socket, "1");
    say(socket, "2");
    assert.deepEqual((await Promise.all(asked)).map(({ value }) => value.text), ["1", "2"]);
    const last = outcome(events.next());
    await settled();
    client.close();
    await settled();
    assert.deepEqual(last.value, { done: true, value: undefined });
  });

  test("that falls behind by more than its buffer receives the buffered events and then throws OVERLOADED", async () => {
    const { client, socket } = await opened(zocket);
    const events = client.on.chat.message[Symbol.asyncIterator]();
    for (let n = 0; n <= 1024; n++) say(socket, n);
    for (let n = 0; n < 1024; n++) assert.equal((await events.next()).value.text, n);
    await assert.rejects(events.next(), { code: "OVERLOADED", route: "chat.message" });
    assert.deepEqual(await events.next(), { done: true, value: undefined });
  });

  test("of a closed client ends at once", async () => {
    const { client } = await opened(zocket);
    client.close();
    for await (const _ of client.on.chat.message) assert.fail("nothing comes");
  });
});
