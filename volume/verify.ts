/**
 * Checks a snapshot against the store: that every object it needs is there and of its size, that its
 * tree is whole, and, when asked, that every byte of data is what it was. Names the files hit, so that
 * the others can be restored.
 */
import type { FileEntry, Frame } from "./entry.ts";
import { BagageError, RetryableError, TerminalError } from "./errors.ts";
import { fetchFrames } from "./hydrate/fetch-frames.ts";
import { objectKey } from "./keys.ts";
import { readSegments } from "./read-segments.ts";
import { readSnapshot, type SnapshotPlace } from "./snapshot.ts";

export interface VerifyOptions extends SnapshotPlace {
  /** Read every byte, instead of asking for the sizes only. */
  readonly readData: boolean;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyProgress {
  readonly checkedBytes: number;
  readonly entries: number;
}

export interface VerifyProblem {
  /** The object's name below the volume's prefix. */
  readonly object: string;
  readonly problem: string;
  /** Files that can't be restored because of it: the first of them, and how many. */
  readonly paths: readonly string[];
  readonly pathCount: number;
}

export interface VerifyReport {
  readonly snapshotId: string;
  readonly isWhole: boolean;
  readonly problems: readonly VerifyProblem[];
  readonly objects: number;
  readonly checkedBytes: number;
}

const PATHS_SHOWN_MAX = 100;
const CHECKS_AT_ONCE = 8;
/** Frames that are checked at once: what is in memory is some ranges of them. */
const FRAMES_AT_ONCE = 64;

/** Never throws for damage; throws RetryableError when the store can't be asked. */
export const verifySnapshot = async (
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<VerifyReport> => {
  const { snapshotId, readData } = options;
  const problems = openProblems();
  const counts = { fetchedBytes: 0, entries: 0 };
  const snapshot = await readSnapshot(options, signal).catch(
    problems.note(`snapshots/${snapshotId}`),
  );
  if (snapshot === null) {
    problems.add(`snapshots/${snapshotId}`, "is missing");
    return report(snapshotId, problems, 0, counts.fetchedBytes);
  }
  const badPacks = await checkSizes(options, snapshot.packs, problems, signal);
  try {
    const seen = new Set<string>();
    for await (const { entries } of readSegments(snapshot, options, counts, signal)) {
      counts.entries += entries.length;
      const files = entries.filter((entry) => entry.type === "file");
      for (const file of files) noteBadPacks(file, badPacks, problems);
      if (readData) await checkData(options, files, { seen, badPacks, problems, counts }, signal);
      options.onProgress?.({ checkedBytes: counts.fetchedBytes, entries: counts.entries });
    }
  } catch (error) {
    problems.note("tree")(error);
  }
  const objects = 1 + snapshot.packs.length + snapshot.segments.length;
  return report(snapshotId, problems, objects, counts.fetchedBytes);
};

interface Problems {
  add(object: string, problem: string, path?: Buffer): void;
  /** A handler that notes damage and passes on what is no damage. */
  note(object: string, path?: Buffer): (error: unknown) => null;
  list(): VerifyProblem[];
}

const openProblems = (): Problems => {
  const found = new Map<string, { problem: string; paths: Set<string>; pathCount: number }>();
  const add: Problems["add"] = (object, problem, path) => {
    const known = found.get(object) ?? { problem, paths: new Set<string>(), pathCount: 0 };
    found.set(object, known);
    if (path === undefined) return;
    known.pathCount += 1;
    if (known.paths.size < PATHS_SHOWN_MAX) known.paths.add(path.toString());
  };
  return {
    add,
    note: (object, path) => (error) => {
      if (!(error instanceof TerminalError)) throw error;
      add(object, error.message, path);
      return null;
    },
    list: () =>
      [...found].map(([object, { problem, paths, pathCount }]) => ({
        object,
        problem,
        paths: [...paths],
        pathCount,
      })),
  };
};

const report = (
  snapshotId: string,
  problems: Problems,
  objects: number,
  checkedBytes: number,
): VerifyReport => {
  const list = problems.list();
  return { snapshotId, isWhole: list.length === 0, problems: list, objects, checkedBytes };
};

/** Names of packs that are missing or of another size. */
const checkSizes = async (
  { store, prefix }: SnapshotPlace,
  packs: readonly (readonly [string, number])[],
  problems: Problems,
  signal: AbortSignal,
): Promise<Set<string>> => {
  const bad = new Set<string>();
  const rest = [...packs];
  const check = async (): Promise<void> => {
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
      const [name, bytes] = next;
      const found = await store.head(objectKey(prefix, name), signal);
      if (found?.bytes === bytes) continue;
      bad.add(name);
      problems.add(name, found === null ? "is missing" : `has ${found.bytes} bytes, not ${bytes}`);
    }
  };
  await Promise.all(Array.from({ length: CHECKS_AT_ONCE }, check));
  return bad;
};

const noteBadPacks = (file: FileEntry, bad: ReadonlySet<string>, problems: Problems): void => {
  const hit = new Set(file.extents.map(({ frame }) => frame.pack).filter((pack) => bad.has(pack)));
  for (const pack of hit) problems.add(pack, "is damaged", file.path);
};

interface DataCheck {
  readonly seen: Set<string>;
  readonly badPacks: ReadonlySet<string>;
  readonly problems: Problems;
  readonly counts: { fetchedBytes: number };
}

const checkData = async (
  options: SnapshotPlace,
  files: readonly FileEntry[],
  check: DataCheck,
  signal: AbortSignal,
): Promise<void> => {
  const frames = new Map<string, Frame>();
  for (const { frame } of files.flatMap(({ extents }) => extents)) {
    const name = nameOf(frame);
    if (!check.seen.has(name) && !check.badPacks.has(frame.pack)) frames.set(name, frame);
    check.seen.add(name);
  }
  const all = [...frames.values()];
  for (let at = 0; at < all.length; at += FRAMES_AT_ONCE) {
    await checkFrames(options, all.slice(at, at + FRAMES_AT_ONCE), files, check, signal);
  }
};

/** All at once; where that fails, one by one, to name each that is damaged. */
const checkFrames = async (
  options: SnapshotPlace,
  frames: readonly Frame[],
  files: readonly FileEntry[],
  check: DataCheck,
  signal: AbortSignal,
): Promise<void> => {
  try {
    const { fetchedBytes } = await fetchFrames(options, frames, () => undefined, signal);
    check.counts.fetchedBytes += fetchedBytes;
  } catch (error) {
    if (!(error instanceof BagageError) || error instanceof RetryableError) throw error;
    for (const frame of frames) {
      await fetchFrames(options, [frame], () => undefined, signal).catch((cause: unknown) => {
        for (const file of files.filter((file) => uses(file, frame))) {
          check.problems.note(frame.pack, file.path)(cause);
        }
      });
    }
  }
};

const uses = (file: FileEntry, frame: Frame): boolean =>
  file.extents.some((extent) => nameOf(extent.frame) === nameOf(frame));

const nameOf = ({ pack, offset }: Frame): string => `${pack} ${offset}`;
