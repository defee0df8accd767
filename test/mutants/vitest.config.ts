/** The unit tests of the rules, of which one is changed: the mutant that MUTANT names. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { mutateSource } from "./mutate-source.ts";

const index = Number(process.env["MUTANT"]);

export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  plugins: [
    {
      name: "mutate",
      enforce: "pre",
      transform: (source, id) => mutateSource(index, id, source),
    },
  ],
  test: {
    include: [
      "workflows/{deploy,node,snapshots,retention,rollback}/**/*.test.ts",
      "functions/{advance-deploy,collect-garbage,snapshot-volume,sweep}/**/*.test.ts",
      "functions/*.test.ts",
      "volume/{collect,clone-snapshot}.test.ts",
    ],
    // What was transformed for another mutant is not what this one is.
    fsModuleCache: false,
    testTimeout: 60_000,
    // One process, which reads each source once: there is one such run for every mutant.
    isolate: false,
    maxWorkers: 1,
    bail: 1,
    reporters: ["dot"],
  },
});
