/** A process whose first thread ends by itself, as `pthread_exit` ends it, while another one runs on. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect } from "vitest";

/** The C library's exit ends a thread; Node's would end the process. */
const PROGRAM = `
  const { openSync } = require("node:fs");
  const { Worker } = require("node:worker_threads");
  const [koffi, file] = process.argv.slice(1);
  if (file !== undefined) openSync(file);
  const worker = new Worker("setInterval(() => {}, 1000)", { eval: true });
  const exit = require(koffi).load("libc.so.6").func("long syscall(long, long)");
  worker.once("online", () => exit(process.arch === "arm64" ? 93 : 60, 0));
`;

/** Resolves when the first thread is gone. With a file, the process has that open. */
export const startEndedFirstThread = async (file?: string): Promise<ChildProcess> => {
  const koffi = createRequire(import.meta.url).resolve("koffi");
  const files = file === undefined ? [] : [file];
  const child = spawn(process.execPath, ["-e", PROGRAM, koffi, ...files], { cwd: "/" });
  const state = () => readFileSync(`/proc/${child.pid}/stat`, "utf8").split(" ").at(2);
  await expect.poll(state, { timeout: 20_000 }).toBe("Z");
  return child;
};
