import "./dom";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { StrictMode, act, useEffect, version } from "react";
import type { ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { createClient } from "zocket-fixture";
import type { Options } from "zocket-fixture";
import { ZocketProvider, useCall, useClient, useConnection, useEvent } from "zocket-fixture-react";
import { FakeClock, fakeWebSocket, settled } from "./fakes.mjs";

declare const REACT: string;

function setUp() {
  const WebSocket = fakeWebSocket();
  const clock = new FakeClock();
  const options: Options = { headers: { name: "Ann" }, WebSocket, clock, dev: false };
  return { WebSocket, clock, options };
}

async function render(node: ReactNode) {
  const container = document.createElement("div");
  const root = createRoot(container);
  const show = (next: ReactNode) => act(async () => (root.render(next), settled()));
  await show(node);
  return {
    show,
    get text() { return container.textContent; },
    unmount: () => act(async () => (root.unmount(), settled())),
  };
}

const say = (socket: any, text: string) =>
  act(async () => socket.receive({ type: "chat.message", payload: { text, from: "Bob" } }));

describe(`with ${REACT}`, () => {
  test("runs with that version of React", () => assert.equal(version.startsWith("18."), REACT === "React 18"));

  for (const [mode, Mode] of [["StrictMode", StrictMode], ["no StrictMode", ({ children }: { children: ReactNode }) => children]] as const) {
    describe(`in ${mode}`, () => {
      test("the provider opens one connection and closes it on unmount", async () => {
        const { WebSocket, options } = setUp();
        const view = await render(<Mode><ZocketProvider url="ws://a/ws" options={options}>x</ZocketProvider></Mode>);
        assert.equal(WebSocket.all.length, 1);
        WebSocket.last.welcome();
        await view.unmount();
        assert.deepEqual(WebSocket.last.closedWith, { code: 1000, reason: "bye" });
        assert.equal(WebSocket.all.length, 1);
      });

      test("the provider does not close a client that was passed to it", async () => {
        const { WebSocket, options } = setUp();
        const client = createClient("ws://a/ws", options);
        const view = await render(<Mode><ZocketProvider client={client}>x</ZocketProvider></Mode>);
        WebSocket.last.welcome();
        await view.unmount();
        assert.equal(client.status, "open");
        client.close();
      });

      test("another URL makes another client", async () => {
        const { WebSocket, options } = setUp();
        const view = await render(<Mode><ZocketProvider url="ws://a/ws" options={options} /></Mode>);
        await view.show(<Mode><ZocketProvider url="ws://b/ws" options={options} /></Mode>);
        assert.deepEqual(WebSocket.all.map((socket: any) => socket.url.host), ["a", "b"]);
        assert.ok(WebSocket.all[0].closedWith);
        await view.unmount();
      });

      test("headers of a later render apply from the next attempt on", async () => {
        const { WebSocket, clock, options } = setUp();
        const view = await render(<Mode><ZocketProvider url="ws://a/ws" options={options} /></Mode>);
        await view.show(<Mode><ZocketProvider url="ws://a/ws" options={{ ...options, headers: { name: "Bob" } }} /></Mode>);
        assert.equal(WebSocket.all.length, 1);
        await act(async () => WebSocket.last.end(1006));
        await act(() => clock.advance(500));
        assert.equal(WebSocket.last.url.searchParams.get("name"), "Bob");
        await view.unmount();
      });

      test("calls in effects of children are sent and answered", async () => {
        const { WebSocket, options } = setUp();
        const failed: unknown[] = [];
        function Child() {
          const client = useClient();
          useEffect(() => void client.whoami().catch((error) => failed.push(error)), [client]);
          return null;
        }
        const view = await render(<Mode><ZocketProvider url="ws://a/ws" options={options}><Child /></ZocketProvider></Mode>);
        WebSocket.last.welcome();
        assert.ok(WebSocket.last.sent.length >= 1);
        assert.deepEqual(failed, []);
        await view.unmount();
      });

      test("useConnection follows the connection", async () => {
        const { WebSocket, clock, options } = setUp();
        function Shown() {
          const { status, clientId, resumed, lastError, retryAt } = useConnection();
          const words = [status, clientId, resumed && "resumed", lastError?.code, retryAt !== undefined && "waits"];
          return <>{words.filter(Boolean).join(" ")}</>;
        }
        const view = await render(<Mode><ZocketProvider url="ws://a/ws" options={options}><Shown /></ZocketProvider></Mode>);
        assert.equal(view.text, "connecting");
        await act(async () => WebSocket.last.welcome());
        assert.equal(view.text, "open c1");
        await act(async () => WebSocket.last.end(1006));
        assert.equal(view.text, "reconnecting c1 DISCONNECTED waits");
        await act(() => clock.advance(500));
        assert.equal(view.text, "reconnecting c1 DISCONNECTED");
        await act(() => clock.advance(10_000));
        assert.equal(view.text, "reconnecting c1 TIMEOUT waits");
        const resumable = { features: ["resume"], session: "T1", received: 0 };
        await act(() => clock.advance(500));
        await act(async () => WebSocket.last.welcome(resumable));
        assert.equal(view.text, "open c1");
        await act(async () => WebSocket.last.end(1006));
        await act(() => clock.advance(500));
        await act(async () => WebSocket.last.welcome({ ...resumable, resumed: true }));
        assert.equal(view.text, "open c1 resumed");
        await act(async () => WebSocket.last.end(3001));
        await act(() => clock.advance(500));
        await act(async () => WebSocket.last.welcome({ ...resumable, clientId: "c2" }));
        assert.equal(view.text, "open c2");
        await view.unmount();
      });

      test("useConnection returns a break once it has lasted for the delay, and other states at once", async (t) => {
        t.mock.timers.enable({ apis: ["setTimeout"] });
        const { WebSocket, clock, options } = setUp();
        const seen: string[] = [];
        function Shown() {
          const { status, lastError, retryAt } = useConnection({ delay: 1000 });
          const shown = [status, lastError?.code, retryAt !== undefined && "waits"].filter(Boolean).join(" ");
          if (seen.at(-1) !== shown) seen.push(shown);
          return <>{shown}</>;
        }
        const view = await render(<Mode><ZocketProvider url="ws://a/ws" options={options}><Shown /></ZocketProvider></Mode>);
        const tick = (ms: number) => act(async () => t.mock.timers.tick(ms));
        await act(async () => WebSocket.last.welcome());
        for (let breaks = 0; breaks < 2; breaks++) {
          await act(async () => WebSocket.last.end(1006));
          await tick(999);
          await act(() => clock.advance(500));
          await act(async () => WebSocket.last.welcome());
          await tick(5000);
        }
        await act(async () => WebSocket.last.end(1006));
        await tick(999);
        assert.deepEqual(seen, ["connecting", "open"]);
        await tick(1);
        assert.equal(view.text, "reconnecting DISCONNECTED waits");
        await act(() => clock.advance(500));
        await act(async () => WebSocket.last.welcome());
        // The next break is a new one.
        await act(async () => WebSocket.last.end(1006));
        await tick(999);
        assert.equal(view.text, "open");
        await act(() => clock.advance(500));
        await act(async () => WebSocket.last.welcome());
        await act(async () => WebSocket.last.end(4000));
        const broken = ["reconnecting DISCONNECTED waits", "reconnecting DISCONNECTED"];
        assert.deepEqual(seen, ["connecting", "open", ...broken, "open", "closed DISCONNECTED"]);
        await view.unmount();
      });

      test("useConnection with a delay gives a page that was stopped during a break the whole delay again", async (t) => {
        t.mock.timers.enable({ apis: ["setTimeout"] });
        let now = 0;
        t.mock.method(Date, "now", () => now);
        const { WebSocket, options } = setUp();
        const Shown = () => <>{useConnection({ delay: 1000 }).status}</>;
        const view = await render(<Mode><ZocketProvider url="ws://a/ws" options={options}><Shown /></ZocketProvider></Mode>);
        const tick = (ms: number) => act(async () => t.mock.timers.tick(ms));
        await act(async () => WebSocket.last.welcome());
        await act(async () => WebSocket.last.end(1006));
        now += 60_000;
        await tick(1000);
        await tick(999);
        assert.equal(view.text, "open");
        await tick(1);
        assert.equal(view.text, "reconnecting");
        await view.unmount();
      });

      test("useConnection with a delay shows a break at once to a component that is mounted during it", async (t) => {
        t.mock.timers.enable({ apis: ["setTimeout"] });
        const { WebSocket, options } = setUp();
        const client = createClient("ws://a/ws", options);
        await settled();
        WebSocket.last.welcome();
        WebSocket.last.end(1006);
        const Shown = () => <>{useConnection({ delay: 1000 }).status}</>;
        const view = await render(<Mode><ZocketProvider client={client}><Shown /></ZocketProvider></Mode>);
        assert.equal(view.text, "reconnecting");
        await view.unmount();
        client.close();
      });

      test("useConnection has the code and the message of a refused handshake, which is final", async () => {
        const { WebSocket, clock, options } = setUp();
        function Shown() {
          const { status, lastError } = useConnection();
          return <>{[status, lastError?.code, lastError?.message].join(" ").trimEnd()}</>;
        }
        const view = await render(<Mode><ZocketProvider url="ws://a/ws" options={options}><Shown /></ZocketProvider></Mode>);
        await act(async () => WebSocket.last.refuse("OVERLOADED", 3203, { message: "busy" }));
        assert.equal(view.text, "connecting OVERLOADED busy");
        await act(() => clock.advance(500));
        await act(async () => WebSocket.last.refuse("UNAUTHORIZED", 3601, { message: "sign in again" }));
        assert.equal(view.text, "closed UNAUTHORIZED sign in again");
        await view.unmount();
      });

      test("headers that are a function are asked once more after a 401, and the last render's function is asked", async () => {
        const { WebSocket, clock, options } = setUp();
        const shown = (name: string) => (
          <Mode><ZocketProvider url="ws://a/ws" options={{ ...options, headers: async () => ({ name }) }} /></Mode>
        );
        const view = await render(shown("expired"));
        await act(async () => WebSocket.last.refuse("UNAUTHORIZED", 3601));
        await view.show(shown("fresh"));
        await act(() => clock.advance(500));
        assert.deepEqual(WebSocket.all.slice(-2).map((socket: any) => socket.url.searchParams.get("name")), ["expired", "fresh"]);
        await view.unmount();
      });

      test("useEvent calls the handler of the last render once, and none after unmounting", async () => {
        const { WebSocket, options } = setUp();
        const client = createClient("ws://a/ws", options);
        await settled();
        WebSocket.last.welcome();
        const heard: string[] = [];
        let subscribed = 0;
        const source = Object.assign((listener: any) => (subscribed++, client.on.chat.message(listener)), client.on.chat.message);
        const Heard = ({ by }: { by: string }) => (useEvent(source, ({ text }) => void heard.push(`${by} ${text}`)), null);
        const show = (by: string) => <Mode><Heard by={by} /></Mode>;
        const view = await render(show("first"));
        await say(WebSocket.last, "1");
        const before = subscribed;
        await view.show(show("second"));
        await say(WebSocket.last, "2");
        assert.equal(subscribed, before);
        await view.unmount();
        await say(WebSocket.last, "3");
        assert.deepEqual(heard, ["first 1", "second 2"]);
        client.close();
      });

      test("useCall shows a pending, an answered and a refused call, and resets", async () => {
        const { WebSocket, options } = setUp();
        const client = createClient("ws://a/ws", options);
        await settled();
        WebSocket.last.welcome();
        let post!: ReturnType<typeof usePost>;
        const usePost = () => useCall(client.chat.post);
        const Form = () => ((post = usePost()), (<>{[post.pending, post.data?.id, post.error?.code].join(" ")}</>));
        const view = await render(<Mode><Form /></Mode>);
        const { call, reset } = post;
        assert.equal(view.text, "false  ");
        await act(async () => void call({ text: "a" }));
        assert.equal(view.text, "true  ");
        await act(async () => WebSocket.last.answer({ id: "m1" }));
        assert.equal(view.text, "false m1 ");

        await act(async () => void call({ text: "b" }));
        await act(async () => WebSocket.last.receive({ type: "__rpc_err", rpcId: 2, error: { code: "ROOM_FULL", message: "" } }));
        assert.equal(view.text, "false m1 ROOM_FULL");

        // The later of two calls counts, in any order of their answers.
        await act(async () => (void call({ text: "c" }), void call({ text: "d" })));
        await act(async () => WebSocket.last.answer({ id: "m4" }, 4));
        await act(async () => WebSocket.last.answer({ id: "m3" }, 3));
        assert.equal(view.text, "false m4 ");

        const controller = new AbortController();
        await act(async () => void call({ text: "e" }, { signal: controller.signal }));
        await act(async () => controller.abort());
        assert.equal(view.text, "false m4 ");

        await act(async () => reset());
        assert.equal(view.text, "false  ");
        assert.equal(post.call, call);
        assert.equal(post.reset, reset);

        await act(async () => void call({ text: "f" }));
        await view.unmount();
        await act(async () => WebSocket.last.answer({ id: "m6" }));
        client.close();
      });
    });
  }

  test("a server renders without connecting", () => {
    const { WebSocket, options } = setUp();
    const Shown = () => <>{useConnection().status}</>;
    assert.equal(renderToString(<ZocketProvider url="/ws" options={options}><Shown /></ZocketProvider>), "connecting");
    assert.equal(WebSocket.all.length, 0);
  });

  test("useClient without a provider says what is missing", () => {
    const Child = () => (useClient(), null);
    assert.throws(() => renderToString(<Child />), /expected a <ZocketProvider>/);
  });
});
