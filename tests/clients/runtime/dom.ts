// Creates a page before React is imported.
import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html>", { url: "http://localhost/" });
/** A channel that does nothing. React opens one with each `act` and never closes it, which would keep the process alive. */
class MessageChannel {
  readonly port1: { onmessage?: (event: object) => void } = {};
  readonly port2 = { postMessage: () => void setImmediate(() => this.port1.onmessage?.({})) };
}
const page = {
  MessageChannel,
  window,
  document: window.document,
  navigator: window.navigator,
  addEventListener: window.addEventListener.bind(window),
  removeEventListener: window.removeEventListener.bind(window),
  IS_REACT_ACT_ENVIRONMENT: true,
};
// Newer versions of Node have a read-only navigator.
for (const [name, value] of Object.entries(page)) Object.defineProperty(globalThis, name, { value, configurable: true });
