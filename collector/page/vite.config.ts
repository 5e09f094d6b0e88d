import { defineConfig } from "vitest/config";
import { mockApi } from "./dev/mock.mjs";

export default defineConfig({
  // The daemon serves /assets/* for ever cached, so every file there must carry its hash.
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { output: { entryFileNames: "assets/[name]-[hash].js" } },
  },
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  plugins: [{ name: "mock-api", configureServer: (server) => void server.middlewares.use(mockApi()) }],
  test: { include: ["src/**/*.test.ts", "src/**/*.test.tsx", "dev/**/*.test.ts"] },
});
