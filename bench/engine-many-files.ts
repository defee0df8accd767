/** Rows for what depends on the number of files alone: time, bytes and memory at several counts. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Row } from "./bench.ts";
import type { EngineBench } from "./engine-bench.ts";
import { removeObjects, runEngine, syncDisk } from "./engine-tools.ts";
import { mountFileSystem } from "./loop-mount.ts";
import { makeTinyFiles } from "./make-volume.ts";
import { openRowTable, type Round, type RowTable } from "./row-table.ts";

/** Sparse; ext4 has an inode for each 16 KiB of it, and a million files stand in it twice. */
const IMAGE_BYTES = 40 * 2 ** 30;
const UPLOADED_BYTES_MAX = 64 * 1_024;
const MEMORY_BYTES_MAX = 400 * 2 ** 20;
const UNCHANGED_ROUNDS = 2;
/** How much more memory the larger count may take: what a measurement wavers by. */
const FLAT = 0.8;

/** The counts ascending; the last row compares the memory of the last with that of the first. */
export const benchManyFiles = async (
  bench: EngineBench,
  counts: readonly number[],
  signal: AbortSignal,
): Promise<readonly Row[]> => {
  const table = openRowTable("ext4", bench.log);
  const peaks: Peaks[] = [];
  for (const count of counts) peaks.push(await benchCount(bench, count, { table, signal }));
  const [first, last] = [peaks[0], peaks.at(-1)];
  if (first === undefined || last === undefined || first === last) return table.rows;
  for (const work of ["snapshot", "hydrate"] as const) {
    const row = { work: `${work} memory, ${counts.at(-1)} files`, unit: "bytes" } as const;
    const both = [{ ours: last[work], theirs: first[work] }];
    table.less({ ...row, peer: `with ${counts[0]} files`, target: FLAT }, both);
  }
  return table.rows;
};

interface Peaks {
  readonly snapshot: number;
  readonly hydrate: number;
}

const benchCount = async (
  bench: EngineBench,
  count: number,
  { table, signal }: { readonly table: RowTable; readonly signal: AbortSignal },
): Promise<Peaks> => {
  const mounted = mountFileSystem("ext4", bench.scratch, IMAGE_BYTES);
  const copy = join(mounted.directory, "source");
  const prefix = `bench-files-${count}-${Date.now()}`;
  const run = (
    operation: "snapshot" | "hydrate",
    snapshotId: string,
    parent: string | null,
    to = copy,
  ) => runEngine(bench, { operation, prefix, snapshotId, parent, copy: to }, signal);
  try {
    mkdirSync(join(copy, "data"), { recursive: true });
    makeTinyFiles(join(copy, "data"), count);
    syncDisk(mounted.directory);
    const restic = bench.restic(`${prefix}-restic`);
    await restic.init(signal);
    const resticFull = await restic.backup(join(copy, "data"), signal);
    const full = await run("snapshot", "full", null);
    let last = await run("snapshot", "settled", "full");
    let parent = "settled";
    let peak = Math.max(full.peakBytes, last.peakBytes);
    const found: Round[] = [];
    for (let round = 0; round < UNCHANGED_ROUNDS; round += 1) {
      const theirs = await restic.backup(join(copy, "data"), signal);
      last = await run("snapshot", `same-${round}`, parent);
      parent = `same-${round}`;
      peak = Math.max(peak, last.peakBytes);
      found.push({ ours: last.wallMs, theirs });
    }
    const files = `${count} files`;
    const bytes = { unit: "bytes" } as const;
    const fullRow = { work: `full, ${files}`, unit: "ms", peer: "restic", target: null } as const;
    table.less(fullRow, [{ ours: full.wallMs, theirs: resticFull }]);
    table.less({ work: `unchanged, ${files}`, unit: "ms", peer: "restic", target: 3 }, found);
    const uploaded = { ...bytes, work: `unchanged, ${files}`, peer: "64 KiB" };
    table.atMost(uploaded, UPLOADED_BYTES_MAX, last.storedBytes);
    const memory = { ...bytes, work: `snapshot memory, ${files}` };
    table.atMost({ ...memory, peer: "400 MiB" }, MEMORY_BYTES_MAX, peak);
    const resticPeak = [{ ours: peak, theirs: restic.peakBytes() }];
    table.less({ ...memory, peer: "restic", target: null }, resticPeak);
    const hydrated = await run("hydrate", parent, null, join(mounted.directory, "y"));
    const hydrateMemory = { ...bytes, work: `hydrate memory, ${files}`, peer: "400 MiB" };
    table.atMost(hydrateMemory, MEMORY_BYTES_MAX, hydrated.peakBytes);
    return { snapshot: peak, hydrate: hydrated.peakBytes };
  } finally {
    await mounted.unmount();
    await removeObjects(bench, prefix, signal);
  }
};
