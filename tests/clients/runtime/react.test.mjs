// Runs the tests of ./react.tsx with React 18 and with the newest React.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after } from "node:test";
import { buildSync } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const folder = mkdtempSync(join(here, ".react-"));
after(() => rmSync(folder, { recursive: true }));

const source = fileURLToPath(new URL("../../../src/contract/typescript/", import.meta.url));
const read = (path) => readFileSync(path, "utf8");
const fixture = { "zocket-fixture": join(folder, "zocket.ts"), "zocket-fixture-react": join(folder, "zocket-react.tsx") };
writeFileSync(fixture["zocket-fixture"], read(join(here, "prelude.ts")) + read(join(source, "runtime.ts")));
copyFileSync(join(source, "react.tsx"), fixture["zocket-fixture-react"]);

for (const [name, alias] of [["React 18", { react: "react18", "react-dom": "react-dom18" }], ["the newest React", {}]]) {
  const outfile = join(folder, `${name.replaceAll(" ", "-")}.cjs`);
  buildSync({
    absWorkingDir: here, entryPoints: [join(here, "react.tsx")], outfile, alias: { ...fixture, ...alias }, bundle: true, platform: "node", format: "cjs", jsx: "automatic",
    external: ["jsdom"], define: { "process.env.NODE_ENV": '"development"', REACT: JSON.stringify(name) },
  });
  createRequire(import.meta.url)(outfile);
}
