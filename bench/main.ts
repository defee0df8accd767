/**
 * `npm run bench -- engine`: every row of the engine's table against its peers, on Ceph RGW. Prints a
 * table, or JSON with --json; --write also writes docs/benchmarks.md and its plot.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { attachOrStartLab } from "../infra/lab/lab.ts";
import { benchManyFiles, benchVolume, type EngineBench, type Row } from "./engine-rows.ts";
import { openRestic } from "./engine-tools.ts";
import type { FileSystemKind } from "./loop-mount.ts";
import { formatTable, writeReport } from "./report.ts";

const USAGE =
  "usage: bench engine [--json] [--write] [--scale 1] [--on ext4,xfs,btrfs] [--files N]";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    scale: { type: "string", default: "1" },
    on: { type: "string", default: "ext4,xfs,btrfs" },
    files: { type: "string", default: "100000,1000000" },
  },
});

const KINDS: readonly FileSystemKind[] = ["ext4", "xfs", "btrfs"];

const run = async (signal: AbortSignal): Promise<Row[]> => {
  const log = (line: string): void => console.error(line);
  const lab = await attachOrStartLab({ engines: 0, gateways: 1, elasticmq: false }, log, signal);
  const { s3 } = lab;
  if (s3 === undefined) throw new Error("the lab has no S3 gateway");
  const scratch = mkdtempSync(join(tmpdir(), "bagage-bench-"));
  const rows: Row[] = [];
  try {
    const scale = Number(values.scale);
    const bench: EngineBench = { s3, restic: openRestic(s3, scratch), scratch, scale, log };
    const wanted = values.on.split(",");
    for (const kind of KINDS.filter((known) => wanted.includes(known))) {
      rows.push(...(await benchVolume(bench, kind, signal)));
    }
    for (const count of values.files.split(",").map(Number)) {
      if (count > 0) rows.push(...(await benchManyFiles(bench, count, signal)).rows);
    }
    return rows;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    await lab.stop(AbortSignal.timeout(120_000));
  }
};

if (positionals[0] !== "engine") {
  console.error(USAGE);
  process.exitCode = 64;
} else {
  const rows = await run(new AbortController().signal);
  console.log(values.json ? JSON.stringify(rows, null, 2) : formatTable(rows));
  if (values.write) writeReport(rows);
}
