import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The pages come from Vite, the WebSocket from the Rust server.
const proxy = { "/ws": { target: "ws://127.0.0.1:3000", ws: true } };

export default defineConfig({
  plugins: [react()],
  server: { host: "127.0.0.1", proxy },
  preview: { host: "127.0.0.1", proxy },
});
