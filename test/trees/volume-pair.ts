/** A volume and its copies in a scratch directory, over a store in memory: the setting of the engine's tests. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { linuxFileSystem } from "../../adapters/linux.ts";
import { type HydrateResult, hydrate } from "../../volume/hydrate/hydrate.ts";
import {
  createMemoryObjectStore,
  type MemoryObjectStore,
} from "../../volume/memory-object-store.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { createCloneMaps } from "../../volume/scan/clone-maps.ts";
import type { DataKeys } from "../../volume/sealing.ts";
import {
  type SnapshotSummary,
  type WriteSnapshotOptions,
  writeSnapshot,
} from "../../volume/write-snapshot.ts";
import { testRoot } from "./test-settings.ts";

type SnapshotMore = Partial<
  Pick<WriteSnapshotOptions, "keys" | "repack" | "isStill" | "isRound" | "fileSystem">
>;

export interface VolumePair {
  /** The directory that an application would have mounted. */
  readonly source: string;
  readonly scratch: string;
  readonly store: MemoryObjectStore;
  /** Takes the next snapshot of the source, with the one before as its parent. */
  snapshot(more?: SnapshotMore): Promise<SnapshotSummary>;
  /** Hydrates a snapshot into a directory of that name in the scratch directory. */
  hydrateTo(
    name: string,
    snapshotId: string,
    more?: {
      readonly base?: string;
      readonly keys?: DataKeys | undefined;
      readonly prefix?: string;
    },
  ): Promise<HydrateResult>;
  /** The data of the copy of that name. */
  pathOf(name: string): string;
  indexOf(name: string): string;
  remove(): void;
}

export const PREFIX = "projects/p/volumes/v";

/** `root`: where to make the scratch directory; its file system is the one under test. */
export const openVolumePair = (
  root: string = testRoot(),
  over: (store: MemoryObjectStore) => ObjectStore = (store) => store,
): VolumePair => {
  const scratch = mkdtempSync(join(root, "bagage-test-"));
  const source = join(scratch, "source", "data");
  mkdirSync(source, { recursive: true });
  const store = createMemoryObjectStore();
  const { signal } = new AbortController();
  let taken = 0;
  let parent: string | null = null;
  const common = { store: over(store), prefix: PREFIX, fileSystem: linuxFileSystem };
  const cloneMaps = createCloneMaps();
  const pathOf = (name: string): string => join(scratch, name, "data");
  const indexOf = (name: string): string => join(scratch, name, "index");
  return {
    source,
    scratch,
    store,
    snapshot: async (more = {}) => {
      taken += 1;
      const snapshotId = `s${taken}`;
      const summary = await writeSnapshot(
        {
          ...common,
          cloneMaps,
          directory: source,
          indexFile: indexOf("source"),
          parentIndexFile: indexOf("source"),
          snapshotId,
          epoch: 1,
          attempt: `a${taken}`,
          parent,
          ...more,
        },
        signal,
      );
      parent = snapshotId;
      return summary;
    },
    hydrateTo: (name, snapshotId, { base, keys, prefix = PREFIX } = {}) => {
      mkdirSync(join(scratch, name), { recursive: true });
      return hydrate(
        {
          ...common,
          prefix,
          snapshotId,
          keys,
          directory: pathOf(name),
          indexFile: indexOf(name),
          base: base === undefined ? null : { directory: pathOf(base), indexFile: indexOf(base) },
        },
        signal,
      );
    },
    pathOf,
    indexOf,
    remove: () => rmSync(scratch, { recursive: true }),
  };
};
