import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The Rust example: pages ask Vite, which hands their WebSockets on.
const target = process.env.CHAT ?? "http://127.0.0.1:3000";
const proxy = { "/ws": { target, ws: true } };

export default defineConfig({ plugins: [react()], server: { host: "127.0.0.1", proxy }, preview: { host: "127.0.0.1", proxy } });
