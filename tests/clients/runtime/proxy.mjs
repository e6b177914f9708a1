import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * Starts a TCP proxy to a local port, which loses connections as networks do. Requests of other paths than `/ws` go to
 * the port `pages`.
 *
 * A link is one TCP connection of a client, `near`, with the one to the server, `far`. A lost link delivers nothing any
 * more, not even its end: each side has to notice by itself.
 */
export async function proxy(t, port, pages = port) {
  const links = new Set();
  let isOff = false;
  let held;

  const server = createServer({ allowHalfOpen: true }, (near) => {
    near.on("error", () => {});
    if (isOff) return near.resetAndDestroy();
    near.once("data", (head) => {
      const isSocket = /^GET \/ws[? ]/.test(head.toString("latin1"));
      const far = connect({ port: isSocket ? port : pages, host: "127.0.0.1", allowHalfOpen: true });
      const link = { near, far, isSocket, isLost: false };
      links.add(link);
      for (const [from, to] of [[near, far], [far, near]]) {
        const deliver = (act) => {
          if (link.isLost) return;
          if (held) held.push(act);
          else act();
        };
        from.on("error", () => {});
        from.on("data", (data) => deliver(() => to.write(data)));
        from.on("end", () => (link.isLost ? from.destroy() : deliver(() => to.end())));
        from.on("close", () => {
          deliver(() => to.destroy());
          if (near.destroyed && far.destroyed) links.delete(link);
        });
      }
      far.write(head);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const each = (act) => [...links].forEach(act);
  /** Ends a link in both directions. Nothing is delivered after that. */
  const end = (link, last) => {
    link.isLost = true;
    link.near.end(last);
    link.far.end();
  };
  const it = {
    port: server.address().port,
    /** Resets all links on both sides. */
    cut: () => each(({ near, far }) => [near, far].forEach((socket) => socket.resetAndDestroy())),
    /** Ends all links without a Close frame. */
    end: () => each((link) => end(link)),
    /** Sends these bytes to the clients of all WebSockets, and ends their links. */
    endWith: (bytes) => each((link) => link.isSocket && end(link, bytes)),
    /** Loses all links of this moment. */
    lose: () => each((link) => (link.isLost = true)),
    /** Loses all links, and refuses new connections until `on`. */
    off: () => {
      isOff = true;
      it.lose();
    },
    on: () => (isOff = false),
    /** Keeps back what arrives, until `release`. */
    hold: () => (held = []),
    release: () => {
      const acts = held;
      held = undefined;
      for (const act of acts) act();
    },
    /** Waits until the server has closed the WebSockets of this moment. */
    abandoned: () => Promise.all([...links].map(({ far, isSocket }) => isSocket && !far.destroyed && once(far, "close"))),
  };
  t.after(() => {
    each(({ near, far }) => [near, far].forEach((socket) => socket.destroy()));
    server.close();
  });
  return it;
}
