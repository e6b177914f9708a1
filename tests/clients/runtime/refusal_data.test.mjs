// The data of refusals: delivered as it is, and checked by the option `validate`.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { client as connecting, consoleOf, load, opened } from "./support.mjs";

const zocket = await load();
const { ZocketError, isZocketError } = zocket;

/** Returns the error of a call that the server refuses with this error. */
async function refused({ client, socket }, error) {
  const posted = client.chat.post({ text: "a" });
  socket.receive({ type: "__rpc_err", rpcId: socket.sent.at(-1).rpcId, error: { code: "ROOM_FULL", message: "full", ...error } });
  return posted.then(() => assert.fail("it was answered"), (error) => error);
}

describe("a refusal", () => {
  for (const data of [{ seats: 8 }, [1], "text", 7, 0, false, "", null]) {
    test(`has its data: ${JSON.stringify(data)}`, async () => {
      const it = await opened(zocket);
      const error = await refused(it, { data });
      assert.deepEqual([error.code, error.message, error.data, error.route], ["ROOM_FULL", "full", data, "chat.post"]);
      assert.ok(isZocketError(it.client.chat.post, error));
    });
  }

  test("without data has undefined", async () => {
    assert.equal((await refused(await opened(zocket), {})).data, undefined);
    assert.equal(new ZocketError("CODE", "").data, undefined);
  });

  test("has its data in the result of safe", async () => {
    const { client, socket } = await opened(zocket);
    const result = client.chat.post.safe({ text: "a" });
    socket.receive({ type: "__rpc_err", rpcId: 1, error: { code: "ROOM_FULL", message: "", data: { seats: 8 } } });
    const { ok, data, error } = await result;
    assert.deepEqual([ok, data, error.data], [false, undefined, { seats: 8 }]);
  });

  test("of a handshake has its data in lastError", async () => {
    const it = await connecting(zocket);
    it.socket.refuse("BANNED", 3700, { data: { until: 7 } });
    assert.deepEqual([it.client.lastError.code, it.client.lastError.data], ["BANNED", { until: 7 }]);
  });

  test("in a frame of type __error has its data in onError", async () => {
    const { client, socket } = await opened(zocket);
    const told = [];
    client.onError(({ code, data }) => told.push([code, data]));
    socket.receive({ type: "__error", payload: { type: "chat.post", code: "ROOM_FULL", message: "", data: { seats: 8 } } });
    assert.deepEqual(told, [["ROOM_FULL", { seats: 8 }]]);
  });

  test("can be made by a test, with data", () => {
    assert.deepEqual(new ZocketError("ROOM_FULL", "", { data: { seats: 8 } }).data, { seats: 8 });
  });
});

describe("the option validate", () => {
  const issues = [{ path: ["seats"], code: "type", message: "expected a number" }];

  test("gets the data of a refusal, with its code", async () => {
    const checked = [];
    const it = await opened(zocket, { dev: true, validate: (...args) => void checked.push(args) });
    const told = [];
    it.client.onError((error) => told.push(error));
    await refused(it, { data: { seats: 8 } });
    assert.deepEqual(checked.slice(1), [["chat.post", "refusal", { seats: 8 }, "ROOM_FULL"]]);
    assert.deepEqual(told, []);
  });

  test("reports data with issues to onError, and the call is rejected with its refusal", async () => {
    const validate = (_, direction) => (direction === "refusal" ? issues : undefined);
    const it = await opened(zocket, { dev: true, validate });
    const told = [];
    it.client.onError(({ code, route, issues, message }) => told.push({ code, route, issues, message }));
    const error = await refused(it, { data: { seats: "many" } });
    assert.deepEqual([error.code, error.data], ["ROOM_FULL", { seats: "many" }]);
    const message = "expected the refusal ROOM_FULL of chat.post to match its contract, got 1 issue(s)";
    assert.deepEqual(told, [{ code: "INVALID_PAYLOAD", route: "chat.post", issues, message }]);
    assert.equal(it.client.status, "open");
  });

  test("is not called for refusals without data", async () => {
    const directions = [];
    const validate = (_, direction) => void directions.push(direction);
    const it = await opened(zocket, { dev: true, validate });
    assert.equal((await refused(it, {})).code, "ROOM_FULL");
    assert.deepEqual(directions, ["input"]);
  });

  test("that throws at a direction it does not know leaves the refusal as it is", async (t) => {
    const reported = consoleOf(t, "error");
    const kinds = { input: {}, output: {}, event: {} };
    const it = await opened(zocket, { dev: true, validate: (route, direction) => kinds[direction][route] });
    const error = await refused(it, { data: { seats: 8 } });
    assert.deepEqual([error.code, error.data, reported.length], ["ROOM_FULL", { seats: 8 }, 1]);
    assert.ok(reported[0][0] instanceof TypeError);
  });

  test("does not run in production", async () => {
    const it = await opened(zocket, { dev: false, validate: () => issues });
    const told = [];
    it.client.onError((error) => told.push(error));
    assert.deepEqual((await refused(it, { data: { seats: "many" } })).data, { seats: "many" });
    assert.deepEqual(told, []);
  });
});
