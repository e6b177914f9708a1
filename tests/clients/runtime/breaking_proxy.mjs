import { once } from "node:events";
import { connect, createServer } from "node:net";
import { dice } from "./dice.mjs";

/**
 * Starts a proxy for one client. Between `storm()` and `calm()` it ends each connection at a random byte or time: by FIN, by
 * RST, by FIN in one direction, or after it has swallowed what comes. It delays some bytes.
 */
export async function breakingProxy(t, port, seed) {
  const { below, chance } = dice(seed);
  const endings = new Set();
  let stormy = false;
  let connections = 0;
  const self = { breaks: 0 };
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    // Sessions end after three resumes without progress. So every third connection lasts, also on a busy machine.
    const lasts = connections++ % 3 === 0;
    const left = { up: lasts || chance(0.5) ? Infinity : below(chance(0.3) ? 800 : 20_000), down: lasts || chance(0.5) ? Infinity : below(20_000) };
    let swallows = { up: false, down: false };
    let ended = false;
    const finish = () => (near.destroy(), far.destroy());
    const end = () => {
      if (ended) return;
      ended = true;
      self.breaks++;
      const how = below(8);
      if (how < 3) (near.end(), far.end(), setTimeout(finish, 100).unref());
      else if (how < 6) (near.resetAndDestroy(), far.resetAndDestroy());
      else if (how < 7) ((chance(0.5) ? near : far).end(), setTimeout(finish, below(2000)).unref());
      else {
        swallows = chance(0.5) ? { up: true, down: true } : { up: true, down: false };
        setTimeout(finish, below(5000)).unref();
      }
    };
    const carry = (from, to, direction) => {
      from.on("data", (bytes) => {
        if (swallows[direction] || to.destroyed || to.writableEnded) return;
        const part = stormy && !ended ? bytes.subarray(0, left[direction]) : bytes;
        left[direction] -= part.length;
        to.write(part);
        if (part.length < bytes.length) {
          end();
          // The other direction may live on, and this one has a gap.
          swallows[direction] = true;
        } else if (stormy && chance(0.02)) (from.pause(), setTimeout(() => from.resume(), below(300)).unref());
      });
      from.on("end", () => to.end());
      from.on("error", finish);
      from.on("close", () => {
        endings.delete(end);
        setTimeout(finish, 100).unref();
      });
    };
    near.setNoDelay(true);
    far.setNoDelay(true);
    carry(near, far, "up");
    carry(far, near, "down");
    endings.add(end);
    if (stormy) setTimeout(end, lasts ? 3000 + below(2000) : below(2000)).unref();
    near.on("close", () => endings.delete(end));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const breakAll = () => [...endings].forEach((end) => end());
  t.after(() => server.close());
  return Object.assign(self, {
    port: server.address().port,
    storm() {
      stormy = true;
      breakAll();
    },
    calm() {
      stormy = false;
      breakAll();
    },
  });
}
