#!/usr/bin/env node
// Starts the command line on the locked Node of the installation, whichever Node found this file. In
// this very process, so that a service manager's signals reach the one that hands them on.
import { fileURLToPath } from "node:url";

process.argv.splice(2, 0, fileURLToPath(new URL("./main.ts", import.meta.url)));
await import("../infra/setup.mjs");
