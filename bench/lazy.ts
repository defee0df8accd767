/**
 * `npm run bench -- lazy`: a cold node gets a large volume from Ceph RGW by the ordinary hydrate, and by a
 * prototype that lets an application begin before its data are there (fanotify pre-content events);
 * what that costs during and after, and what FUSE and an overlay would. docs/lazy-hydrate.md draws the
 * conclusions.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { ensureDebianPackages, LAZY_PACKAGES } from "../infra/lab/debian-packages.ts";
import { attachOrStartLab } from "../infra/lab/lab.ts";
import type { Bench } from "./bench.ts";
import { openRestic, removeObjects, runEngine, syncDisk } from "./engine-tools.ts";
import { firstQuery, queries, readFiles, updates } from "./lazy/clients.ts";
import { withFuse, withOverlay } from "./lazy/layers.ts";
import { checkPromises } from "./lazy/promises.ts";
import { runLazy } from "./lazy/run-lazy.ts";
import { makeDatabase, makeFiles } from "./make-volume.ts";
import { openRowTable, type RowTable } from "./row-table.ts";

const ROWS_FULL = 100_000;
const FILES_FULL = 20_000;
const QUICK_SCALE = 0.05;
const QUERIES = 200;
const UPDATES = 50;
const GIB = 2 ** 30;
const NEEDED_GIB = 8;

interface Scene {
  readonly s3: Parameters<typeof runLazy>[0]["s3"];
  readonly prefix: string;
  readonly snapshotId: string;
  readonly at: (name: string) => string;
  readonly rows: number;
  readonly table: RowTable;
}

export const lazyBench: Bench = {
  title: "Lazy hydrate",
  options: { scale: { type: "string", default: "1" } },
  run: async ({ options, isQuick, scratch, log }, signal) => {
    await ensureDebianPackages(LAZY_PACKAGES, signal);
    const lab = await attachOrStartLab({ engines: 0, gateways: 1, elasticmq: false }, log, signal);
    const { s3 } = lab;
    if (s3 === undefined) throw new Error("the lab has no S3 gateway");
    const scale = Number(options["scale"]) * (isQuick ? QUICK_SCALE : 1);
    const rows = Math.round(ROWS_FULL * scale);
    const at = (name: string): string => join(scratch, name);
    const { bavail, bsize } = statfsSync(scratch);
    if (bavail * bsize < NEEDED_GIB * GIB * scale)
      throw new Error(`${scratch} has too little room`);
    const table = openRowTable("ext4", log);
    const prefix = `bench-lazy-${Date.now()}`;
    const scene: Scene = { s3, prefix, snapshotId: "full", at, rows, table };
    try {
      mkdirSync(at("source/data"), { recursive: true });
      makeFiles(at("source/data/files"), Math.round(FILES_FULL * scale), 1);
      makeDatabase(at("source/data/app.db"), rows, 2);
      const bench = { s3, restic: openRestic(s3, scratch), scratch, scale, rounds: 1, log };
      const engine = { prefix, snapshotId: "full", parent: null };
      await runEngine(bench, { ...engine, operation: "snapshot", copy: at("source") }, signal);
      const ordinary = await runEngine(
        bench,
        { ...engine, operation: "hydrate", copy: at("ordinary") },
        signal,
      );
      await benchCold(scene, ordinary.wallMs);
      benchLayers(scene);
      const promises = await checkPromises({ ...scene, directory: at("promises") });
      return { rows: [...table.rows, ...promises], about: ABOUT };
    } finally {
      await removeObjects({ s3 }, prefix, signal);
      await lab.stop(AbortSignal.timeout(120_000));
    }
  },
};

/** Both copies get the same updates, so that in the end they must be equal byte for byte. */
const benchCold = async (scene: Scene, ordinaryMs: number): Promise<void> => {
  const { at, rows, table } = scene;
  const plain = at("ordinary/data");
  const lazy = at("lazy");
  const direct = {
    first: firstQuery(plain, rows),
    query: queries(plain, rows, QUERIES, 3),
    update: updates(plain, rows, UPDATES, 100),
    files: readFiles(plain),
    after: 0,
  };
  direct.after = updates(plain, rows, UPDATES, 500);
  mkdirSync(lazy);
  const { s3, prefix, snapshotId } = scene;
  const request = { s3, prefix, snapshotId, directory: lazy, fills: true };
  const run = runLazy(request, at("lazy-request.json"));
  try {
    const ready = await run.next("ready");
    const first = firstQuery(lazy, rows);
    const during = {
      query: queries(lazy, rows, QUERIES, 3),
      update: updates(lazy, rows, UPDATES, 100),
    };
    const complete = await run.next("complete");
    syncDisk(lazy);
    const row = (work: string, ours: number, theirs: number) =>
      table.less({ work, unit: "ms", peer: "ordinary hydrate", target: null }, [{ ours, theirs }]);
    row("until a container may start", ready.ms, ordinaryMs);
    row("until the first row is read", ready.ms + first, ordinaryMs + direct.first);
    row("until all is there, under use", complete.ms, ordinaryMs);
    row(`${QUERIES} queries of random rows meanwhile`, during.query, direct.query);
    row(`${UPDATES} synced updates meanwhile`, during.update, direct.update);
    row(
      `${QUERIES} queries afterwards`,
      queries(lazy, rows, QUERIES, 3),
      queries(plain, rows, QUERIES, 3),
    );
    row(`${UPDATES} synced updates afterwards`, updates(lazy, rows, UPDATES, 500), direct.after);
    row("reading the small files afterwards", readFiles(lazy), readFiles(plain));
    table.less(
      { work: "accesses that waited", unit: "count", peer: "frames asked for", target: null },
      [{ ours: complete.events, theirs: complete.demanded }],
    );
  } finally {
    await run.kill();
  }
  // Throws where anything differs.
  execFileSync("diff", ["--recursive", "--brief", plain, lazy], { stdio: "pipe" });
};

const benchLayers = ({ at, rows, table }: Scene): void => {
  const plain = at("ordinary/data");
  const measure = (directory: string, seed: number) => ({
    query: queries(directory, rows, QUERIES, 3),
    update: updates(directory, rows, UPDATES, seed),
    files: readFiles(directory),
  });
  const direct = measure(plain, 1_000);
  const fuse = withFuse(plain, at("fuse"), (path) => measure(path, 2_000));
  const against = (work: string, ours: number, theirs: number) =>
    table.less({ work, unit: "ms", peer: "no layer", target: null }, [{ ours, theirs }]);
  against(`FUSE: ${QUERIES} queries`, fuse.query, direct.query);
  against(`FUSE: ${UPDATES} synced updates`, fuse.update, direct.update);
  against("FUSE: reading the small files", fuse.files, direct.files);
  const copyUp = withOverlay(plain, at("overlay"), (path) => updates(path, rows, 1, 3_000));
  against("overlay: the first update", copyUp, direct.update / UPDATES);
};

const ABOUT = `A database of 828 MB and 20,000 files of 2 to 60 KB (1.4 GB) in Ceph RGW, brought to an empty directory on ext4. "Lazy" lays the
tree with empty files, lets the application begin, and fills what it touches first. Ours is the lazy copy (or the layer), theirs the
ordinary hydrate (or the bare directory). At the end both copies, after the same updates, are compared byte for byte.
What the rows mean for the promises is in [lazy-hydrate.md](lazy-hydrate.md).`;
