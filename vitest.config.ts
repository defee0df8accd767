import { defineConfig } from "vitest/config";

/**
 * `unit` runs anywhere in seconds. `serverless` packages and deploys to an AWS emulator. `contract` and `lab` need the real parts that infra/lab starts
 * (Ceph RGW, Docker engines, brokers); `npm test` sets them up and runs everything.
 */
export default defineConfig({
  test: {
    restoreMocks: true,
    unstubEnvs: true,
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{workflows,volume,adapters,functions,agent,cli,infra,bench}/**/*.test.ts",
            "test/*.test.ts",
            "test/chaos/*.test.ts",
          ],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: "serverless",
          include: ["test/serverless/**/*.test.ts"],
          testTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          globalSetup: "test/lab/global-setup.ts",
          testTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "lab",
          include: ["test/lab/**/*.test.ts"],
          globalSetup: "test/lab/global-setup.ts",
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
