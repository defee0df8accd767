/**
 * Extent maps of clones, kept from the last round of a deploy for its last snapshot. The kernel looks up
 * for each extent whether it is shared, 2.5 µs each on XFS, and a database's file has tens of thousands:
 * of two maps one is then known when the gap begins.
 */
import { identityOf } from "../file-identity.ts";
import type { PhysicalExtent } from "../file-system.ts";

export interface OpenClone {
  readonly name: string;
  readonly fd: number;
}

/**
 * Nobody writes to a clone, so that its map stays true, unless a tool moves its data (xfs_fsr,
 * btrfs-defragment). What its file has at the old places is then shared with it no longer, and counts
 * as changed, for as long as no later clone shares it: a map is for the very next snapshot, of a still
 * volume, which is compared with without a clone of its own.
 */
export interface CloneMaps {
  note(clone: OpenClone, map: readonly PhysicalExtent[]): void;
  /** What was noted, once: whoever comes later must ask the file system. */
  take(clone: OpenClone): readonly PhysicalExtent[] | null;
}

/** Some 25 MiB; of more, the oldest are asked for again. */
const EXTENTS_MAX = 262_144;

export const createCloneMaps = (): CloneMaps => {
  const maps = new Map<string, readonly PhysicalExtent[]>();
  let extents = 0;
  const forget = (key: string): void => {
    extents -= maps.get(key)?.length ?? 0;
    maps.delete(key);
  };
  return {
    note: (clone, map) => {
      const key = keyOf(clone);
      forget(key);
      maps.set(key, map);
      extents += map.length;
      for (const oldest of maps.keys()) {
        if (extents <= EXTENTS_MAX) break;
        forget(oldest);
      }
    },
    take: (clone) => {
      const key = keyOf(clone);
      const map = maps.get(key) ?? null;
      forget(key);
      return map;
    },
  };
};

/** Names are used anew in other volumes, inodes and times by other files: never all of them. */
const keyOf = ({ name, fd }: OpenClone): string => {
  const { dev, ino, ctimeNs } = identityOf(fd);
  return `${name} ${dev} ${ino} ${ctimeNs}`;
};
