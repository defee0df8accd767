/**
 * What a publisher must know of what it (or one before it) brought into the bucket: how far it came,
 * which further names there are of files, and what was left out. Kept in the platform's store.
 */
import * as z from "zod";
import { SnapshotId } from "../../workflows/ids.ts";

/** Base64, for names need not be UTF-8. */
const Path = z.base64();

export const PublicationNotes = z.strictObject({
  /** The snapshot that these notes are about, up to `donePath`. */
  target: SnapshotId,
  generation: z.int(),
  /** Null: at the beginning. */
  donePath: Path.nullable(),
  isDone: z.boolean(),
  /** Further names of files, with the name under which the file stands in the tree. */
  links: z.array(z.tuple([Path, Path])),
  /** Names to write once all files are known: links that are new, or whose file changed. */
  pendingLinks: z.array(Path),
  leftOut: z.array(z.tuple([Path, z.string()])),
});
export type PublicationNotes = z.infer<typeof PublicationNotes>;

/** The notes as they are worked with; keys are base64. */
export interface WorkingNotes {
  readonly links: Map<string, string>;
  readonly pendingLinks: Set<string>;
  readonly leftOut: Map<string, string>;
  donePath: Buffer | null;
}

export const openNotes = (notes: PublicationNotes | null): WorkingNotes => ({
  links: new Map(notes?.links),
  pendingLinks: new Set(notes?.pendingLinks),
  leftOut: new Map(notes?.leftOut),
  donePath:
    notes === null || notes.donePath === null ? null : Buffer.from(notes.donePath, "base64"),
});

export const closeNotes = (
  about: Pick<PublicationNotes, "target" | "generation">,
  { links, pendingLinks, leftOut, donePath }: WorkingNotes,
  isDone: boolean,
): PublicationNotes => ({
  ...about,
  donePath: donePath?.toString("base64") ?? null,
  isDone,
  links: [...links],
  pendingLinks: [...pendingLinks],
  leftOut: [...leftOut],
});

/** For the user: the names as text, as far as they are. */
export const describeLeftOut = (leftOut: ReadonlyMap<string, string>) =>
  [...leftOut].map(([path, reason]) => {
    const bytes = Buffer.from(path, "base64");
    const name = bytes.toString("utf8");
    const isText = Buffer.from(name, "utf8").equals(bytes);
    return isText ? { name, reason } : { name, nameBase64: path, reason };
  });
