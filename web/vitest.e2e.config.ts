import { defineConfig } from 'vitest/config';

// Against the real program in a real browser: `npm run e2e`, or the step `web` of the gate.
export default defineConfig({
  test: { include: ['e2e/**/*.test.ts'], environment: 'node', testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false },
});
