/**
 * `npm run bench -- NAME [--quick] [--json] [--write]`: runs a benchmark and prints its table, or JSON.
 * --write also puts it into its section of docs/benchmarks.md. A benchmark is one file beside this one.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFlags } from "../infra/read-flags.ts";
import type { Bench, BenchResult } from "./bench.ts";
import { formatTable } from "./format-rows.ts";
import { writeReport } from "./report.ts";

/** By name; each is loaded only when it is asked for. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  engine: async () => (await import("./engine.ts")).engineBench,
  control: async () => (await import("./control.ts")).controlBench,
  gap: async () => (await import("./gap.ts")).gapBench,
  postgres: async () => (await import("./postgres.ts")).postgresBench,
  lazy: async () => (await import("./lazy.ts")).lazyBench,
  traffic: async () => (await import("./traffic.ts")).trafficBench,
};

const COMMON = {
  quick: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  write: { type: "boolean", default: false },
} as const;

const run = async (bench: Bench, options: Record<string, unknown>): Promise<BenchResult> => {
  const scratch = mkdtempSync(join(tmpdir(), "bagage-bench-"));
  const stop = new AbortController();
  const abort = (): void => stop.abort(new Error("stopped"));
  process.once("SIGINT", abort).once("SIGTERM", abort);
  try {
    const log = (line: string): void => console.error(line);
    const isQuick = options["quick"] === true;
    return await bench.run({ options, isQuick, scratch, log }, stop.signal);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
};

const [name = "", ...argv] = process.argv.slice(2);
const load = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
if (load === undefined) {
  console.error(`usage: bench ${Object.keys(BENCHES).join("|")} [--quick] [--json] [--write]`);
  process.exitCode = 64;
} else {
  const bench = await load();
  const values = readFlags(`bench -- ${name}`, { ...bench.options, ...COMMON }, argv);
  const result = await run(bench, values);
  console.log(values.json ? JSON.stringify(result.rows, null, 2) : formatTable(result.rows));
  if (values.write && values.quick) console.error("not written: a quick run is no measurement");
  else if (values.write) writeReport(name, bench.title, result);
}
