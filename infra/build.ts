/**
 * Bundles each function into one file, as Lambda and the local runtime load it, and prints the sizes.
 * A bundle over its budget fails the build: a cold start pays for every byte.
 */
import { statSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const KIB = 1_024;

interface Bundle {
  readonly entry: string;
  readonly budgetKib: number;
}

/** The control functions are Lambdas (`lambda.ts`); the node's are loaded by its agent. */
const BUNDLES: Readonly<Record<string, Bundle>> = {
  "receive-git-push": { entry: "functions/receive-git-push/lambda.ts", budgetKib: 2_500 },
  "advance-deploy": { entry: "functions/advance-deploy/lambda.ts", budgetKib: 2_500 },
  api: { entry: "functions/api/lambda.ts", budgetKib: 2_500 },
  "publish-volume": { entry: "functions/publish-volume/lambda.ts", budgetKib: 2_500 },
  "receive-object-events": {
    entry: "functions/receive-object-events/lambda.ts",
    budgetKib: 2_500,
  },
  "take-object-events": { entry: "functions/take-object-events/lambda.ts", budgetKib: 2_500 },
  "expire-keys": { entry: "functions/expire-keys/lambda.ts", budgetKib: 2_500 },
  sweep: { entry: "functions/sweep/lambda.ts", budgetKib: 2_500 },
  "snapshot-volume": { entry: "functions/snapshot-volume/handler.ts", budgetKib: 1_000 },
  "hydrate-volume": { entry: "functions/hydrate-volume/handler.ts", budgetKib: 1_000 },
  "start-containers": { entry: "functions/start-containers/handler.ts", budgetKib: 1_000 },
  "stop-containers": { entry: "functions/stop-containers/handler.ts", budgetKib: 1_000 },
};

/** CommonJS packages ask for Node's own modules by require, which an ES module has not. */
const BANNER =
  "import{createRequire as bagageRequire}from'node:module';const require=bagageRequire(import.meta.url);";

/** Native, and only on nodes: no control function may reach it. */
const NATIVE = "koffi";

export const buildBundles = async (outdir: string): Promise<Record<string, number>> => {
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(
      Object.entries(BUNDLES).map(([name, { entry }]) => [name, entry]),
    ),
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    minify: true,
    sourcemap: "linked",
    sourcesContent: false,
    metafile: true,
    banner: { js: BANNER },
    external: [NATIVE],
    logLevel: "warning",
  });
  const natives = Object.entries(result.metafile.outputs).filter(
    ([path, { imports }]) =>
      BUNDLES[basename(path, ".mjs")]?.entry.endsWith("/lambda.ts") === true &&
      imports.some((one) => one.path === NATIVE),
  );
  if (natives.length > 0) throw new Error(`${natives.map(([path]) => path)} need ${NATIVE}`);
  return Object.fromEntries(
    Object.keys(BUNDLES).map((name) => [name, statSync(`${outdir}/${name}.mjs`).size]),
  );
};

if (import.meta.main) {
  const sizes = await buildBundles(`${ROOT}.build/functions`);
  for (const [name, bytes] of Object.entries(sizes)) {
    const budget = BUNDLES[name]?.budgetKib ?? 0;
    const kib = bytes / KIB;
    console.log(`${name.padEnd(22)} ${kib.toFixed(0).padStart(6)} KiB of ${budget}`);
    if (kib > budget) process.exitCode = 1;
  }
}
