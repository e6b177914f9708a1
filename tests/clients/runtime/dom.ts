// A page, before React looks for one.
import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html>", { url: "http://localhost/" });
/** React opens one with each `act` and never closes it: real ones would keep the process alive. */
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
// Newer Nodes have a navigator that can't be assigned to.
for (const [name, value] of Object.entries(page)) Object.defineProperty(globalThis, name, { value, configurable: true });
