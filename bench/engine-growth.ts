/**
 * What a deploy's pause hangs on as the volume grows and the change in it does not: time and bytes of
 * the delta, against restic's, as a plot.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { EngineBench } from "./engine-bench.ts";
import { listedBytes, removeObjects, runEngine, syncDisk } from "./engine-tools.ts";
import { type Line, plotLines } from "./line-plot.ts";
import { mountFileSystem } from "./loop-mount.ts";
import { makeDatabase, updateRows } from "./make-volume.ts";

const IMAGE_BYTES = 8 * 2 ** 30;
const ROWS = [12_500, 40_000, 100_000];
const ROW_BYTES = 8_280;
const CHANGED_ROWS = 1_000;
const MIB = 2 ** 20;

interface Point {
  readonly bytes: number;
  readonly ours: { readonly ms: number; readonly bytes: number };
  readonly theirs: { readonly ms: number; readonly bytes: number };
}

/** The plot as SVG: a database of growing size on XFS, 1,000 of its rows changed. */
export const benchGrowth = async (bench: EngineBench, signal: AbortSignal): Promise<string> => {
  const points: Point[] = [];
  for (const rows of ROWS) {
    points.push(await measureOne(bench, Math.round(rows * bench.scale), signal));
  }
  const line = (name: string, colour: string, y: (point: Point) => number): Line => ({
    name,
    colour,
    points: points.map((point) => ({ x: point.bytes, y: y(point) })),
  });
  const [mine, other] = ["#2a7", "#c63"];
  return plotLines(
    [
      {
        title: "time of a delta (1,000 rows of 8 KiB changed)",
        formatY: (ms) => `${(ms / 1_000).toFixed(1)} s`,
        lines: [line("bagage", mine, (p) => p.ours.ms), line("restic", other, (p) => p.theirs.ms)],
      },
      {
        title: "bytes stored by it",
        formatY: (bytes) => `${(bytes / MIB).toFixed(0)} MiB`,
        lines: [
          line("bagage", mine, (p) => p.ours.bytes),
          line("restic", other, (p) => p.theirs.bytes),
        ],
      },
    ],
    (bytes) => `${(bytes / MIB).toFixed(0)} MiB`,
  );
};

const measureOne = async (
  bench: EngineBench,
  rows: number,
  signal: AbortSignal,
): Promise<Point> => {
  const mounted = mountFileSystem("xfs", bench.scratch, IMAGE_BYTES);
  const copy = join(mounted.directory, "source");
  const database = join(copy, "data", "app.db");
  const prefix = `bench-growth-${rows}-${Date.now()}`;
  const snapshot = (snapshotId: string, parent: string | null) =>
    runEngine(bench, { operation: "snapshot", prefix, snapshotId, parent, copy }, signal);
  try {
    mkdirSync(join(copy, "data"), { recursive: true });
    makeDatabase(database, rows, 2);
    syncDisk(mounted.directory);
    const restic = bench.restic(`${prefix}-restic`);
    await restic.init(signal);
    await restic.backup(join(copy, "data"), signal);
    await snapshot("full", null);
    await snapshot("settled", "full");
    updateRows(database, rows, Math.min(CHANGED_ROWS, rows), 3);
    syncDisk(mounted.directory);
    const before = await listedBytes(bench, `${prefix}-restic`, signal);
    const theirMs = await restic.backup(join(copy, "data"), signal);
    const added = (await listedBytes(bench, `${prefix}-restic`, signal)) - before;
    const delta = await snapshot("delta", "settled");
    bench.log(`${rows} rows: ${delta.wallMs.toFixed(0)} ms, restic ${theirMs.toFixed(0)} ms`);
    return {
      bytes: rows * ROW_BYTES,
      ours: { ms: delta.wallMs, bytes: delta.storedBytes },
      theirs: { ms: theirMs, bytes: added },
    };
  } finally {
    await mounted.unmount();
    await removeObjects(bench, prefix, signal);
  }
};
