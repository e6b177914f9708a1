// A program that uses the client, for any runtime: `visit.ts URL`, with the generated client beside it as `zocket.ts`.
// Prints a line for each step, and `back` after a reconnect.
import { createClient, isZocketError } from "./zocket.ts";

const arguments_: string[] = (globalThis as any).Deno?.args ?? (globalThis as any).process.argv.slice(2);
const url = arguments_[0] as string;
const client = createClient(url, { headers: { name: "Ann" }, backoff: { floor: 20, cap: 50 } });
const say = (text: string) => console.log(text);

const { clientId, name } = await client.whoami();
say(`is ${name}: ${clientId === client.clientId}`);

await client.chat.join({ roomId: "lobby" });
const heard = client.on.chat.message[Symbol.asyncIterator]();
const first = heard.next();
const { id } = await client.chat.post({ roomId: "lobby", text: "hi" });
const { value } = await first;
say(`heard ${value?.text}: ${value?.id === id}`);

const { error } = await client.chat.post.safe({ roomId: "lobby", text: "" });
say(`refused: ${isZocketError(client.chat.post, error) && error.code} ${error?.issues[0]?.path.join(".")}`);

const stranger = createClient(url, { headers: { name: "" } });
const asked = await stranger.whoami.safe();
const { lastError } = stranger;
say(`not admitted: ${lastError?.code} ${lastError?.issues[0]?.path.join(".")}, ${stranger.status}, sent: ${asked.error?.sent}`);

const back = new Promise<void>((resolve) => client.onOpen(() => resolve()));
client.onClose(({ final }) => say(`lost, ${final ? "for good" : "for now"}`));
say("ready");
await back;
say(`back: ${(await client.whoami()).name}`);
client.close();
