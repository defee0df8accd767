/**
 * The one file that must run on whatever Node a machine has (18 or later): it installs the locked
 * packages when they are missing or differ from package-lock.json, then hands over to the Node 24
 * among them, which runs TypeScript as it is. `node infra/setup.mjs <file.ts> [args...]`.
 * Nothing else belongs here: what a script does is in the script.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BIN = join(ROOT, "node_modules", ".bin");
/** Type stripping is stable from here on. */
const NODE_MAJOR_MIN = 24;

const [script, ...scriptArguments] = process.argv.slice(2);
if (script === undefined) stop("usage: node infra/setup.mjs <file.ts> [args...]", 64);
if (!isInstalled()) install();
handOver(resolve(process.cwd(), script), scriptArguments);

/** npm keeps what it really installed in a lock file of its own; the two must tell the same. */
function isInstalled() {
  const wanted = readPackages("package-lock.json");
  const present = readPackages(join("node_modules", ".package-lock.json"));
  if (wanted === undefined) stop(`no package-lock.json in ${ROOT}`, 78);
  if (present === undefined) return false;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) =>
      path === "" || present[path]?.version === version || (optional && !(path in present)),
  );
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(join(ROOT, path), "utf8")).packages;
  } catch {
    return undefined;
  }
}

function install() {
  console.error("Installing the locked npm packages (npm ci) ...");
  const flags = [
    "--include=dev",
    "--include=optional",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
  ];
  const { status, error } = spawnSync("npm", ["ci", "--loglevel=error", ...flags], {
    cwd: ROOT,
    stdio: ["ignore", 2, 2],
  });
  if (error !== undefined) stop(`npm did not start: ${error.message}`, 69);
  if (status !== 0) stop("npm ci failed: see its message above", 69);
}

function findNode() {
  const locked = join(BIN, "node");
  if (existsSync(locked)) return locked;
  if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) return process.execPath;
  return stop(
    `No Node ${NODE_MAJOR_MIN} here: none is packaged for ${process.platform} ${process.arch}, ` +
      `and this one is ${process.version}. Install Node ${NODE_MAJOR_MIN} and run it again.`,
    78,
  );
}

function handOver(file, args) {
  const child = spawn(findNode(), [file, ...args], {
    stdio: "inherit",
    env: { ...process.env, PATH: [BIN, process.env.PATH].join(delimiter) },
  });
  // A terminal sends Ctrl-C to the child as well; sending it twice would read as "at once".
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => stop(`${file} did not start: ${error.message}`, 69));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

function stop(message, exitCode) {
  console.error(message);
  process.exit(exitCode);
}
