import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Starts a proxy to a local port, whose connections can be cut in the middle of a frame. */
export async function proxy(t, port) {
  const pairs = new Set();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    const pair = [near, far];
    pairs.add(pair);
    for (const socket of pair) {
      socket.on("error", () => {});
      socket.on("close", () => pair.forEach((each) => each.destroy()));
    }
    near.on("close", () => pairs.delete(pair));
    near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => pairs.forEach((pair) => pair.forEach((socket) => socket.resetAndDestroy()));
  t.after(() => {
    cut();
    server.close();
  });
  return { port: server.address().port, cut };
}
