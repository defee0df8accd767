/**
 * What a hydrate may build on: what an earlier try left in the directory, what the directory was
 * before, or another copy. Each is described by an index, and each file is checked against it again.
 */
import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type IndexReader, openDraft, openIndex } from "../local-index.ts";

export interface Sources {
  /** In the order in which they are asked. */
  readonly indexes: readonly IndexReader[];
  /** In the first of the indexes that has it. */
  readonly findSegment: IndexReader["find"];
  /** The directory that the indexes describe; null: the one that is hydrated. */
  readonly baseDirectory: string | null;
  /** Where the new index grows; after a kill it tells the next try what is done. */
  readonly draft: string;
  /** Removes what only an unfinished hydrate needs. */
  discard(): void;
}

export interface SourcesOptions {
  readonly directory: string;
  readonly indexFile: string;
  readonly base: { readonly directory: string; readonly indexFile: string } | null;
}

/**
 * From here on the directory is neither the old content nor the new one: its index goes aside. Without
 * any index nothing is known of what lies there, and it is removed: a hydrate never merges.
 */
export const openSources = ({ directory, indexFile, base }: SourcesOptions): Sources => {
  const beside = (name: string): string => join(dirname(indexFile), name);
  const draft = beside("hydrate.draft");
  const partial = beside("hydrate.partial");
  const previous = beside("hydrate.previous");
  if (existsSync(indexFile)) renameSync(indexFile, previous);
  if (sizeOf(draft) > sizeOf(partial)) renameSync(draft, partial);
  const own = [openDraft(partial), openIndex(previous)].filter((index) => index !== null);
  if (own.length === 0) rmSync(directory, { recursive: true, force: true });
  const other = own.length === 0 && base !== null ? openIndex(base.indexFile) : null;
  const indexes = other === null ? own : [other];
  return {
    indexes,
    findSegment: (ref) =>
      indexes.map((index) => index.find(ref)).find((read) => read !== null) ?? null,
    baseDirectory: other === null ? null : (base?.directory ?? null),
    draft,
    discard: () => {
      for (const file of [partial, previous]) rmSync(file, { force: true });
    },
  };
};

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? -1;
