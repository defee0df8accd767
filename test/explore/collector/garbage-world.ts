/**
 * A small world of objects around the real rules of garbage: whoever takes snapshots, slowly; whoever
 * folds their reports; collectors that stop between any two requests. Nodes are in the other world
 * (../world.ts): here it only matters that somebody writes, and by which record.
 */
import type { Writer } from "../../../volume/is-garbage.ts";

/** What a snapshot's document says. Of data it has one object of its own, which stands for all. */
export interface Document {
  readonly id: string;
  readonly parent: string | null;
  /** Everything that it needs: its own, and its parent's that it goes on with. */
  readonly objects: readonly string[];
  readonly writer: Writer;
}

export type Purpose =
  | { readonly kind: "step"; readonly deployId: string; readonly step: string }
  | { readonly kind: "live"; readonly epoch: number; readonly sequence: number };

/** A snapshot that is being taken, by the record as it was when it began. */
export interface Upload {
  readonly document: Document;
  readonly purpose: Purpose;
  /** What stands in the store by now: nothing, its object, its document too. */
  readonly stored: "nothing" | "object" | "document";
}

/** A report that the record has not taken up. */
export interface Reported {
  readonly snapshotId: string;
  readonly purpose: Purpose;
  /** What was found in the store, by the record as it is now; null: nobody has looked yet. */
  readonly found: { readonly isWhole: boolean; readonly parent: string | null } | null;
}

export type Collector =
  /** The record that it read, by its number; one stands for all that say the same of garbage. */
  | { readonly stage: "read"; readonly view: number }
  /** What the roots need: nothing of it is deleted. */
  | { readonly stage: "marked"; readonly view: number; readonly needed: readonly string[] }
  /** What it found to be garbage and has not deleted yet, in the order of the list. */
  | { readonly stage: "listed"; readonly victims: readonly string[] };

export interface GarbageWorld {
  /** `key#content`: a key that is used twice holds what was written last. */
  readonly objects: readonly string[];
  readonly documents: readonly Document[];
  readonly uploads: readonly Upload[];
  readonly reports: readonly Reported[];
  readonly collectors: readonly Collector[];
  /** Snapshots that a volume of another project began as. */
  readonly clones: readonly string[];
  readonly left: Left;
}

/** What may still happen. */
export interface Left {
  readonly pushes: number;
  readonly lives: number;
  readonly troubles: number;
  readonly clones: number;
}

/** What a move leads to; a record that it does not name stays. */
export interface GarbageMove<R> {
  readonly label: string;
  readonly world: GarbageWorld;
  readonly record?: R;
}

export const keyOf = (object: string): string => object.split("#")[0] ?? "";

/** An object put under its key: what stood there is gone. */
export const putObject = (world: GarbageWorld, object: string): GarbageWorld => ({
  ...world,
  objects: [...world.objects.filter((other) => keyOf(other) !== keyOf(object)), object].sort(),
});

export const putDocument = (world: GarbageWorld, document: Document): GarbageWorld => ({
  ...world,
  documents: [...world.documents.filter(({ id }) => id !== document.id), document].sort(byId),
});

const byId = (a: Document, b: Document): number => (a.id < b.id ? -1 : 1);

export const findDocument = (world: GarbageWorld, id: string): Document | undefined =>
  world.documents.find((document) => document.id === id);

/** Documents are listed after objects, under this name. */
export const documentName = (id: string): string => `snapshots/${id}`;

export const spend = (world: GarbageWorld, what: keyof Left): GarbageWorld => ({
  ...world,
  left: { ...world.left, [what]: world.left[what] - 1 },
});
