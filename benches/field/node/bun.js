// The app on Bun's own WebSocket server, with native rooms and JSON parsed in the app.
const [hostname, port] = (process.env.ADDR ?? "127.0.0.1:3000").split(":");
const TEXT = 65_536;
const NAME = 64;

const isText = (text) => typeof text === "string" && (text.length <= TEXT || [...text].length <= TEXT);
const isName = (name) =>
  typeof name === "string" && name.length > 0 && (name.length <= NAME || [...name].length <= NAME);

class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

function check(ok, what) {
  if (!ok) throw new Refusal("BAD_REQUEST", what);
}

/** Handles a message. Returns the answer's payload, if it has one. */
function act(socket, type, payload) {
  switch (type) {
    case "echo":
      check(isText(payload?.text) && Number.isSafeInteger(payload.n), "expected {text, n}");
      return { text: payload.text, n: payload.n };
    case "room.join":
      check(isName(payload?.roomId), "expected {roomId}");
      socket.subscribe(payload.roomId);
      return undefined;
    case "room.leave":
      check(isName(payload?.roomId), "expected {roomId}");
      socket.unsubscribe(payload.roomId);
      return undefined;
    case "room.say": {
      check(isName(payload?.roomId) && isText(payload.text), "expected {roomId, text}");
      const { roomId, text } = payload;
      server.publish(
        roomId,
        JSON.stringify({ type: "room.said", payload: { roomId, text, from: socket.data.user } }),
      );
      return undefined;
    }
    default:
      throw new Refusal("NOT_FOUND", `no route ${type}`);
  }
}

const server = Bun.serve({
  hostname,
  port: Number(port),
  fetch(request, server) {
    const user = request.headers.get("user") ?? new URL(request.url).searchParams.get("user");
    if (!user) return new Response("no user", { status: 400 });
    if (server.upgrade(request, { data: { user } })) return undefined;
    return new Response("expected a WebSocket", { status: 426 });
  },
  websocket: {
    maxPayloadLength: 1 << 20,
    backpressureLimit: 16 << 20,
    idleTimeout: 45,
    message(socket, text) {
      let message;
      try {
        message = JSON.parse(text);
      } catch {
        return;
      }
      const { type, payload, rpcId } = message;
      try {
        const answer = act(socket, type, payload);
        if (rpcId !== undefined) socket.send(JSON.stringify({ type: "__rpc_res", payload: answer, rpcId }));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (rpcId === undefined) return;
        const refusal = { code: error.code, message: error.message };
        socket.send(JSON.stringify({ type: "__rpc_err", rpcId, error: refusal }));
      }
    },
  },
});
