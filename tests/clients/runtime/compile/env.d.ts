// Declarations that the generator emits before the runtime, to compile the runtime alone.
interface Headers {
  readonly [name: string]: string;
}
interface Client {
  readonly on: object;
}
declare const CONTRACT: {
  readonly version: string;
  readonly hash: string;
  readonly incoming: Readonly<Record<string, boolean>>;
  readonly outgoing: readonly string[];
};
