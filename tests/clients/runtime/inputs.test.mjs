// Inputs that can't be sent: the call is rejected, with the path of the value, and the connection goes on.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { load, opened } from "./support.mjs";

const zocket = await load();

describe("a call", () => {
  test("whose input is not JSON is rejected and not sent", async () => {
    const { client, socket } = await opened(zocket);
    const asked = await client.chat.post({ text: 1n }).catch((error) => error);
    assert.equal(asked.code, "BAD_REQUEST");
    assert.ok(asked.cause instanceof TypeError);
    assert.equal(socket.sent.length, 0);
  });

  for (const [what, input, message] of [
    ["NaN", { text: NaN }, "input.text is NaN"],
    ["an infinity", { at: { x: [1, -Infinity] } }, "input.at.x.1 is -Infinity"],
    ["NaN as its whole", NaN, "input is NaN"],
    ["undefined in an array", { tags: ["a", undefined] }, "input.tags.1 is undefined"],
    ["a hole in an array", { tags: [, "a"] }, "input.tags.0 is undefined"],
    ["NaN from a toJSON", { a: { toJSON: () => ({ b: NaN }) } }, "input.a.b is NaN"],
    ["one of two equal members with NaN", [{ a: 1 }, [{ a: null }, { a: NaN }]], "input.1.1.a is NaN"],
  ]) {
    test(`whose input has ${what}, which JSON would turn into null, is rejected and not sent`, async () => {
      const { client, socket } = await opened(zocket);
      const asked = await client.chat.post(input).catch((error) => error);
      assert.equal(asked.code, "BAD_REQUEST");
      assert.ok(asked.message.startsWith("the input of chat.post is not JSON: ") && asked.message.endsWith(message), asked.message);
      assert.equal(socket.sent.length, 0);
    });
  }

  test("sends null, undefined members and the word null as they are", async () => {
    const { client, socket } = await opened(zocket);
    const shared = { a: null };
    const input = { text: "null NaN", none: null, left: undefined, all: [null, [null], shared, shared], zero: -0, big: 1e308 };
    client.chat.post(input);
    assert.deepEqual(socket.sent[0].payload, JSON.parse(JSON.stringify(input)));
  });

  test("larger in bytes than the server's limit is rejected without closing the connection", async () => {
    const { client, socket } = await opened(zocket);
    // The limit is 1,024 bytes, of which the frame around the text has 49.
    assert.equal((await client.chat.post({ text: "é".repeat(500) }).catch((error) => error)).code, "PAYLOAD_TOO_LARGE");
    client.chat.post({ text: "e".repeat(900) });
    assert.equal(socket.sent.length, 1);
  });
});
