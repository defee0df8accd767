#!/usr/bin/env node
// Starts the command line on the locked Node of the installation, whichever Node found this file.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const setup = fileURLToPath(new URL("../infra/setup.mjs", import.meta.url));
const main = fileURLToPath(new URL("./main.ts", import.meta.url));
const { status } = spawnSync(process.execPath, [setup, main, ...process.argv.slice(2)], {
  stdio: "inherit",
});
process.exit(status ?? 1);
