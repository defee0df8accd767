/**
 * A snapshot, a hydrate and a collection, killed at a step by SIGKILL in a process of their own: then
 * what is retained must verify byte for byte, and the same operation, run again, must succeed and be right.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as fc from "fast-check";
import { openDirectoryObjectStore } from "../../adapters/directory-object-store.ts";
import { linuxFileSystem } from "../../adapters/linux.ts";
import { collectGarbage, reachableObjects } from "../../volume/collect.ts";
import { hydrate } from "../../volume/hydrate/hydrate.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { verifySnapshot } from "../../volume/verify.ts";
import { writeSnapshot } from "../../volume/write-snapshot.ts";
import { anyChanges, changeTree } from "../trees/change-tree.ts";
import { describeTree } from "../trees/describe-tree.ts";
import { anyTree, growTree } from "../trees/random-tree.ts";
import { PREFIX, type VictimRequest } from "./victim-request.ts";

export const KILL_OPERATIONS = ["snapshot", "hydrate", "hydrate afresh", "collect"] as const;
export type KillOperation = (typeof KILL_OPERATIONS)[number];

export interface KillOptions {
  /** 1: at each step; n: at each n-th. */
  readonly every: number;
  /** Where scratch directories are made. */
  readonly scratch: string;
}

/** No operation of such a small volume has so many steps. */
const NEVER = 1_000_000;
const VICTIM = fileURLToPath(new URL("./victim.ts", import.meta.url));
const SEED = 20;
const SAMPLES = 20;
const { signal } = new AbortController();

/** Returns how many steps it killed at. Throws with the step at which something was wrong after. */
export const checkKills = async (
  operation: KillOperation,
  { every, scratch }: KillOptions,
): Promise<number> => {
  const steps = await withScene(scratch, (scene) => runVictim(scene, operation, NEVER));
  let points = 0;
  for (let killAt = 0; killAt < steps; killAt += every) {
    await withScene(scratch, async (scene) => {
      await runVictim(scene, operation, killAt);
      await checkAfter(scene, operation).catch((cause: unknown) => {
        throw new Error(`${operation} killed at step ${killAt}: ${String(cause)}`, { cause });
      });
    });
    points += 1;
  }
  return points;
};

interface Scene {
  readonly storeDirectory: string;
  readonly store: ObjectStore;
  readonly source: string;
  /** A copy as the first snapshot is. */
  readonly warm: string;
  readonly fresh: string;
}

/** Snapshots s1 and s2 of a changing tree, a warm copy of s1, and a change since s2. */
const withScene = async <T>(scratch: string, use: (scene: Scene) => Promise<T>): Promise<T> => {
  const directory = mkdtempSync(join(scratch, "kill-"));
  try {
    const [source, warm, fresh] = ["source", "warm", "fresh"].map((name) => join(directory, name));
    if (source === undefined || warm === undefined || fresh === undefined) throw new Error("scene");
    for (const copy of [join(source, "data"), warm, fresh]) mkdirSync(copy, { recursive: true });
    const storeDirectory = join(directory, "store");
    const store = openDirectoryObjectStore({ directory: storeDirectory });
    const scene = { storeDirectory, store, source, warm, fresh };
    const tree = largestOf(anyTree, SEED);
    const [early, late] = [largestOf(anyChanges, SEED), largestOf(anyChanges, SEED + 1)];
    growTree(join(source, "data"), tree);
    await snapshot(scene, "s1", null);
    await hydrateTo(scene, warm, "s1");
    changeTree(join(source, "data"), early);
    await snapshot(scene, "s2", "s1");
    changeTree(join(source, "data"), late);
    return await use(scene);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

const largestOf = <T>(lists: fc.Arbitrary<T[]>, seed: number): T[] =>
  fc.sample(lists, { numRuns: SAMPLES, seed }).reduce((a, b) => (b.length > a.length ? b : a));

const common = ({ store }: Scene, copy: string, snapshotId: string) => ({
  store,
  prefix: PREFIX,
  snapshotId,
  directory: join(copy, "data"),
  indexFile: join(copy, "index"),
  fileSystem: linuxFileSystem,
});

const snapshot = (scene: Scene, snapshotId: string, parent: string | null) => {
  const parentIndexFile = join(scene.source, "index");
  const attempt = `attempt-${snapshotId}`;
  const options = { ...common(scene, scene.source, snapshotId), parentIndexFile, attempt };
  return writeSnapshot({ ...options, epoch: 1, parent }, signal);
};

const hydrateTo = (scene: Scene, copy: string, snapshotId: string) =>
  hydrate({ ...common(scene, copy, snapshotId), base: null }, signal);

const requestFor = (scene: Scene, operation: KillOperation) => {
  switch (operation) {
    case "snapshot":
      return { operation, snapshotId: "s3", parent: "s2", copy: scene.source } as const;
    case "hydrate":
      return { operation, snapshotId: "s2", parent: null, copy: scene.warm } as const;
    case "hydrate afresh":
      return { operation: "hydrate", snapshotId: "s2", parent: null, copy: scene.fresh } as const;
    case "collect":
      return { operation, snapshotId: "s2", parent: null, copy: scene.source } as const;
  }
};

/** Steps that it took; how it ends must be as it was asked to. */
const runVictim = async (
  scene: Scene,
  operation: KillOperation,
  killAt: number,
): Promise<number> => {
  const request: VictimRequest = {
    ...requestFor(scene, operation),
    store: scene.storeDirectory,
    killAt,
  };
  const child = spawn(process.execPath, [VICTIM, JSON.stringify(request)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (data: Buffer) => {
    said += data.toString();
  });
  const [exitCode, killedBy] = (await once(child, "close")) as [number | null, string | null];
  const isAsAsked = killAt === NEVER ? exitCode === 0 : killedBy === "SIGKILL";
  if (!isAsAsked) throw new Error(`${operation} ended with ${exitCode ?? killedBy}`);
  return Number(said);
};

const checkAfter = async (scene: Scene, operation: KillOperation): Promise<void> => {
  await expectWhole(scene, "s2");
  if (operation === "snapshot") {
    await expectWhole(scene, "s1");
    const half = await verify(scene, "s3");
    const isAbsent = half.problems.some(({ problem }) => problem === "is missing");
    if (!half.isWhole && !isAbsent) throw new Error("the killed snapshot is there, and not whole");
    // Its packs and segments may be there: no attempt ever writes under another's name.
    await snapshot(scene, "s4", "s2");
    await expectHydrated(scene, scene.warm, "s4");
    return;
  }
  await snapshot(scene, "s3", "s2");
  if (operation === "collect") {
    const place = { store: scene.store, prefix: PREFIX, roots: ["s2", "s3"] };
    const ended = { endedAttempts: new Set<string>(), currentEpoch: 2, dryRun: false };
    await collectGarbage({ ...place, ...ended }, signal);
    await expectOnlyReachable(place);
  }
  const copy = operation === "hydrate" ? scene.warm : scene.fresh;
  await hydrateTo(scene, copy, "s2");
  await expectHydrated(scene, copy, "s3");
};

const verify = ({ store }: Scene, snapshotId: string) =>
  verifySnapshot({ store, prefix: PREFIX, snapshotId, readData: true }, signal);

const expectWhole = async (scene: Scene, snapshotId: string): Promise<void> => {
  const { isWhole, problems } = await verify(scene, snapshotId);
  if (!isWhole) throw new Error(`${snapshotId} is damaged: ${JSON.stringify(problems)}`);
};

/** The snapshot is of the source as it is now. */
const expectHydrated = async (scene: Scene, copy: string, snapshotId: string): Promise<void> => {
  await hydrateTo(scene, copy, snapshotId);
  const [is, shouldBe] = [copy, scene.source].map((of) =>
    describeTree(join(of, "data")).join("\n"),
  );
  if (is !== shouldBe) throw new Error(`${snapshotId} hydrates as\n${is}\nnot as\n${shouldBe}`);
};

const expectOnlyReachable = async (
  place: Parameters<typeof reachableObjects>[0],
): Promise<void> => {
  const reachable = await reachableObjects(place, signal);
  const found = new Set<string>();
  for await (const { key } of place.store.list(`${PREFIX}/`, signal)) {
    found.add(key.slice(PREFIX.length + 1));
  }
  const isSame = found.size === reachable.size && [...found].every((name) => reachable.has(name));
  if (!isSame) {
    throw new Error(`${[...found]} are there, not ${[...reachable]}`);
  }
};
