/**
 * Reads a file as it was at one moment, where the file system has clones. The clone is that moment; the
 * bytes are read from the file itself, whose pages are in memory, and whatever was written meanwhile is
 * read again from the clone.
 */
import { closeSync } from "node:fs";
import { identityOf } from "../file-identity.ts";
import type { PhysicalExtent } from "../file-system.ts";
import type { FoundEntry, NotedClone } from "../local-index.ts";
import { type ChangedRange, changedRanges } from "./changed-ranges.ts";
import { CLONE_BYTES_MIN } from "./clones.ts";
import type { Reading } from "./read-entry.ts";
import { type KnownFile, type ReadFile, readFile } from "./read-file.ts";
import { ageClone, withStale } from "./stale-ranges.ts";

export interface ReadThrough {
  readonly read: ReadFile;
  /** To compare with next time, or null where there are no clones. */
  readonly clone: NotedClone | null;
}

export const readThrough = async (
  fd: number,
  sizeNow: bigint,
  old: FoundEntry | null,
  reading: Reading,
): Promise<ReadThrough> => {
  const { frames, fileSystem, clones, onRead } = reading;
  const known = knownFile(old);
  if (reading.isStill && sizeNow >= CLONE_BYTES_MIN) return readStill(fd, old, reading);
  const clone = sizeNow >= CLONE_BYTES_MIN ? clones.take(fd) : null;
  if (clone === null) {
    const size = Number(sizeNow);
    const read = await readFile(fd, { known, changed: null, size, frames, fileSystem, onRead });
    return { read, clone: null };
  }
  try {
    const size = Number(identityOf(clone.fd).size);
    const map = fileSystem.extentMap(clone.fd);
    if (map !== null) reading.cloneMaps.note(clone, map);
    const changed = map === null ? null : compareWithOld(map, size, old, reading);
    const common = { size, frames, fileSystem, onRead };
    const isFaster = map !== null && isMostlyComparable(map);
    const first = await readFile(isFaster ? fd : clone.fd, { ...common, known, changed });
    const since = isFaster ? fileSystem.extentMap(fd) : null;
    const touched = map === null || since === null ? [] : changedRanges(since, map, size);
    clones.keep(clone.name);
    const noted = { name: clone.name, stale: [] };
    if (touched.length === 0) return { read: first, clone: noted };
    // What the first pass found is compared with, so it must have been hashed.
    await frames.settle();
    const again = await readFile(clone.fd, { ...common, known: first, changed: touched });
    const changedBytes = first.changedBytes + again.changedBytes;
    return { read: { ...again, changedBytes }, clone: noted };
  } finally {
    closeSync(clone.fd);
  }
};

/** A file that nobody writes to needs no clone to be read, and its old clone will do next time. */
const readStill = async (
  fd: number,
  old: FoundEntry | null,
  reading: Reading,
): Promise<ReadThrough> => {
  const { frames, fileSystem, clones, onRead } = reading;
  const size = Number(identityOf(fd).size);
  const known = knownFile(old);
  const from = old?.clone ?? null;
  const map = from === null ? null : fileSystem.extentMap(fd);
  const changed = map === null ? null : compareWithOld(map, size, old, reading);
  const aged =
    from === null || changed === null || known === null
      ? null
      : ageClone(from, changed, { before: known.size, after: size });
  const clone = aged ?? clones.make(fd);
  const options = { known, changed, size, frames, fileSystem, onRead };
  return { read: await readFile(fd, options), clone };
};

/** Maps of smaller files are had in no time, and there may be very many of them. */
const MAP_BYTES_MIN = 64 * 2 ** 20;

/**
 * For a file that did not change in a deploy's round: a database writes to some of its files only as it
 * stops, and the map of what those are compared with is then known.
 */
export const noteMap = (
  { entry, clone: noted }: FoundEntry,
  { clones, cloneMaps, fileSystem }: Reading,
): void => {
  if (noted === null || entry.type !== "file" || entry.size < MAP_BYTES_MIN) return;
  const fd = clones.open(noted.name);
  if (fd === null) return;
  try {
    const map = fileSystem.extentMap(fd);
    if (map !== null) cloneMaps.note({ name: noted.name, fd }, map);
  } finally {
    closeSync(fd);
  }
};

/** Otherwise (compressed or inline data) all of it would have to be read again from the clone. */
const isMostlyComparable = (map: readonly PhysicalExtent[]): boolean =>
  map.filter(({ isComparable }) => isComparable).length >= map.length / 2;

const knownFile = (old: FoundEntry | null): KnownFile | null =>
  old?.entry.type === "file" && old.blocks !== null
    ? { size: old.entry.size, extents: old.entry.extents, blocks: old.blocks }
    : null;

/** What may have changed since the last snapshot; null when there is no clone to compare with. */
const compareWithOld = (
  map: readonly PhysicalExtent[],
  size: number,
  old: FoundEntry | null,
  { clones, cloneMaps, fileSystem }: Reading,
): readonly ChangedRange[] | null => {
  const clone = old?.clone ?? null;
  const fd = clone === null ? null : clones.open(clone.name);
  if (clone === null || fd === null) return null;
  try {
    const before = cloneMaps.take({ name: clone.name, fd }) ?? fileSystem.extentMap(fd);
    return before === null ? null : withStale(changedRanges(before, map, size), clone.stale);
  } finally {
    closeSync(fd);
  }
};
