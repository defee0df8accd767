/**
 * Fills placeholders: what somebody waits for first, all the rest in the order of the packs. An extent
 * is written once; from then on it is the application's, and nothing is written there again.
 */
import { closeSync, fstatSync, openSync, utimesSync, write } from "node:fs";
import { promisify } from "node:util";
import pLimit from "p-limit";
import type { Extent, Frame } from "../../volume/entry.ts";
import { type FrameSource, fetchFrames } from "../../volume/hydrate/fetch-frames.ts";
import type { AccessEvent, Watch } from "./fanotify.ts";
import type { Placeholder } from "./lay-placeholders.ts";

const writeAsync = promisify(write);
/**
 * Its own writes wait for their events too, each on a thread of the pool: enough of these must be left
 * for reading the events.
 */
const OWN_WRITES_AT_ONCE = 8;
const ownWrites = pLimit(OWN_WRITES_AT_ONCE);
/** Frames are of a MiB: what is fetched ahead of its writing. */
const FRAMES_AT_ONCE = 16;
/** Frames that were fetched for one small file hold its neighbours too. */
const FRAMES_KEPT = 64;

interface LazyFile extends Placeholder {
  readonly filled: Map<Extent, Promise<void>>;
  left: number;
}

interface Use {
  readonly file: LazyFile;
  readonly extent: Extent;
}

export interface Filler {
  /** Fills what the event waits for. */
  demand(event: AccessEvent): Promise<void>;
  /** Fills everything. */
  fillAll(signal: AbortSignal): Promise<void>;
  readonly counts: { demanded: number };
}

export const createFiller = (
  source: FrameSource,
  placeholders: readonly Placeholder[],
  watch: Watch,
): Filler => {
  const files = placeholders.map(
    (one): LazyFile => ({ ...one, filled: new Map(), left: one.extents.length }),
  );
  const byInode = new Map(files.map((file) => [file.inode, file]));
  const counts = { demanded: 0 };
  const kept = new Map<string, Promise<Buffer>>();
  const fill = (use: Use, raw: () => Promise<Buffer>, fd?: number): Promise<void> => {
    const { file, extent } = use;
    const known = file.filled.get(extent);
    if (known !== undefined) return known;
    const filling = raw().then(async (bytes) => {
      if (fd === undefined) await ownWrites(() => writeExtent(use, bytes));
      else await writeExtent(use, bytes, fd);
      file.left -= 1;
      if (file.left === 0) finish(file, watch);
    });
    file.filled.set(extent, filling);
    return filling;
  };
  const fetchOne = (frame: Frame): Promise<Buffer> => {
    const known = kept.get(nameOf(frame));
    if (known !== undefined) return known;
    counts.demanded += 1;
    let raw: Buffer = Buffer.alloc(0);
    const { signal } = new AbortController();
    const fetching = fetchFrames(source, [frame], (_frame, bytes) => (raw = bytes), signal).then(
      () => raw,
    );
    kept.set(nameOf(frame), fetching);
    const [oldest] = kept.keys();
    if (kept.size > FRAMES_KEPT && oldest !== undefined) kept.delete(oldest);
    return fetching;
  };
  return {
    counts,
    demand: async ({ fd, offset, length }) => {
      const file = byInode.get(fstatSync(fd).ino);
      if (file === undefined || file.left === 0) return;
      const wanted = file.extents.filter(
        (extent) => extent.offset < offset + length && offset < extent.offset + extent.length,
      );
      await Promise.all(
        wanted.map((extent) => fill({ file, extent }, () => fetchOne(extent.frame), fd)),
      );
    },
    fillAll: async (signal) => {
      const uses = usesByFrame(files);
      const names = [...uses.keys()].sort();
      for (let at = 0; at < names.length; at += FRAMES_AT_ONCE) {
        const due = names
          .slice(at, at + FRAMES_AT_ONCE)
          .flatMap((name) => uses.get(name) ?? [])
          .filter(({ file, extent }) => !file.filled.has(extent));
        const frames = new Map(due.map(({ extent: { frame } }) => [nameOf(frame), frame]));
        const filling: Promise<void>[] = [];
        const place = (frame: Frame, raw: Buffer): void => {
          for (const use of uses.get(nameOf(frame)) ?? []) filling.push(fill(use, async () => raw));
        };
        await fetchFrames(source, [...frames.values()], place, signal);
        await Promise.all(filling);
      }
    },
  };
};

const nameOf = ({ pack, offset }: Frame): string => `${pack} ${String(offset).padStart(12, "0")}`;

const usesByFrame = (files: readonly LazyFile[]): Map<string, Use[]> => {
  const uses = new Map<string, Use[]>();
  for (const file of files) {
    for (const extent of file.extents) {
      const name = nameOf(extent.frame);
      const known = uses.get(name);
      if (known === undefined) uses.set(name, [{ file, extent }]);
      else known.push({ file, extent });
    }
  }
  return uses;
};

/** Not beyond the file's end, which the application may have moved; between the two it may move again. */
const writeExtent = async ({ file, extent }: Use, raw: Buffer, of?: number): Promise<void> => {
  const fd = of ?? openSync(file.path, "r+");
  const { offset, frameOffset } = extent;
  const length = Math.min(extent.length, fstatSync(fd).size - offset);
  for (let done = 0; done < length; ) {
    const from = frameOffset + done;
    done += (await writeAsync(fd, raw, from, length - done, offset + done)).bytesWritten;
  }
  if (of === undefined) closeSync(fd);
};

/** Nothing stands between the application and the file any more. */
const finish = ({ path, mtimeS }: LazyFile, watch: Watch): void => {
  watch.remove(path);
  utimesSync(path, mtimeS, mtimeS);
};
