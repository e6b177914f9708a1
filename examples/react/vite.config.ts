import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Vite serves the pages, and forwards their WebSockets to the Rust example.
const proxy = { "/ws": { target: "ws://127.0.0.1:3000", ws: true } };

export default defineConfig({
  plugins: [react()],
  server: { host: "127.0.0.1", proxy },
  preview: { host: "127.0.0.1", proxy },
});
