// The app on Socket.IO over its WebSocket transport: the same events, with acknowledgements as answers of `echo`. With the
// address of a Redis server in `REDIS`, it is a node.
import { createServer } from "node:http";
import { Server } from "socket.io";

const [hostname, port] = (process.env.ADDR ?? "127.0.0.1:3000").split(":");
const TEXT = 65_536;
const NAME = 64;

const isText = (text) => typeof text === "string" && (text.length <= TEXT || [...text].length <= TEXT);
const isName = (name) =>
  typeof name === "string" && name.length > 0 && (name.length <= NAME || [...name].length <= NAME);

const http = createServer();
const io = new Server(http, { transports: ["websocket"] });

if (process.env.REDIS) {
  const [{ createAdapter }, { createClient }] = await Promise.all([import("@socket.io/redis-adapter"), import("redis")]);
  const publisher = createClient({ url: process.env.REDIS });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  io.adapter(createAdapter(publisher, subscriber));
}

io.on("connection", (socket) => {
  const from = String(socket.handshake.query.user ?? "nobody");
  socket.on("echo", (payload, answer) => {
    if (isText(payload?.text) && Number.isSafeInteger(payload.n)) answer?.({ text: payload.text, n: payload.n });
  });
  socket.on("room.join", (payload, answer) => {
    if (!isName(payload?.roomId)) return;
    socket.join(payload.roomId);
    answer?.();
  });
  socket.on("room.leave", (payload, answer) => {
    if (!isName(payload?.roomId)) return;
    socket.leave(payload.roomId);
    answer?.();
  });
  socket.on("room.say", (payload) => {
    if (!isName(payload?.roomId) || !isText(payload.text)) return;
    const { roomId, text } = payload;
    io.to(roomId).emit("room.said", { roomId, text, from });
  });
});

http.listen({ host: hostname, port: Number(port), backlog: 4096 });
