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

/** The maps of one volume's clones, for one snapshot. */
export interface CloneMaps {
  note(clone: OpenClone, map: readonly PhysicalExtent[]): void;
  /** What the round right before noted, for a snapshot of a still volume. */
  take(clone: OpenClone): readonly PhysicalExtent[] | null;
}

/**
 * Nobody writes to a clone, so that its map stays true, unless a tool moves its data (xfs_fsr,
 * btrfs-defragment). What its file has at the old places is then shared with it no longer, and counts
 * as changed, for as long as nothing else shares it: a map is for the very next snapshot, of a still
 * volume, which is compared with without a clone of its own.
 */
export interface VolumeCloneMaps {
  /** For a snapshot of the volume. One that is not still forgets what any before it has noted. */
  of(volume: string, isStill: boolean): CloneMaps;
}

/** Some 25 MiB. Of more, those of the volume that has waited longest are asked for again. */
const EXTENTS_MAX = 262_144;

interface Noted {
  readonly maps: Map<string, readonly PhysicalExtent[]>;
  extents: number;
}

export const createCloneMaps = (): VolumeCloneMaps => {
  const volumes = new Map<string, Noted>();
  const forgetOldest = (): void => {
    let extents = [...volumes.values()].reduce((sum, noted) => sum + noted.extents, 0);
    for (const noted of volumes.values()) {
      if (extents <= EXTENTS_MAX) return;
      extents -= noted.extents;
      noted.maps.clear();
      noted.extents = 0;
    }
  };
  return {
    of: (volume, isStill) => {
      const known = isStill ? volumes.get(volume)?.maps : undefined;
      const noted: Noted = { maps: new Map(), extents: 0 };
      volumes.delete(volume);
      if (!isStill) volumes.set(volume, noted);
      return {
        note: (clone, map) => {
          noted.maps.set(keyOf(clone), map);
          noted.extents += map.length;
          forgetOldest();
        },
        take: (clone) => known?.get(keyOf(clone)) ?? null,
      };
    },
  };
};

/** Names are used anew in other volumes, inodes and times by other files: never all of them. */
const keyOf = ({ name, fd }: OpenClone): string => {
  const { dev, ino, ctimeNs } = identityOf(fd);
  return `${name} ${dev} ${ino} ${ctimeNs}`;
};
