import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Vite serves the pages, and forwards their WebSockets to the Rust example.
const target = process.env.CHAT ?? "http://127.0.0.1:3000";
const proxy = { "/ws": { target, ws: true } };

export default defineConfig({ plugins: [react()], server: { host: "127.0.0.1", proxy }, preview: { host: "127.0.0.1", proxy } });
