/** Reads the tree of a snapshot: its segments in order, verified, the next ones on their way. */
import { createHash } from "node:crypto";
import { describeEntry } from "./content-digest.ts";
import type { Entry } from "./entry.ts";
import { TerminalError } from "./errors.ts";
import { objectKey } from "./keys.ts";
import type { SegmentRef } from "./local-index.ts";
import { NO_KEYS, segmentPlace, unseal } from "./sealing.ts";
import { SNAPSHOT_FORMATS, type Snapshot, type SnapshotPlace } from "./snapshot.ts";
import { decodeSegment, segmentFromJson } from "./tree.ts";

const SEGMENTS_AHEAD = 3;

export interface TreeSegment {
  readonly ref: SegmentRef;
  readonly entries: readonly Entry[];
}

export const corruptTree = (id: string, what: string): TerminalError =>
  new TerminalError(`snapshot ${id}: its tree does not match its ${what}`, {
    code: "tree-corrupt",
  });

/** `counts.fetchedBytes` grows by what was read. Throws TerminalError for anything but the tree. */
export async function* readSegments(
  snapshot: Snapshot,
  { store, prefix, keys = NO_KEYS }: Omit<SnapshotPlace, "snapshotId">,
  counts: { fetchedBytes: number },
  signal: AbortSignal,
): AsyncGenerator<TreeSegment> {
  const fetchOne = async (row: SegmentRow): Promise<FetchedSegment> => {
    const [name] = row;
    const stored = await store.get(objectKey(prefix, name), signal);
    if (stored === null) {
      throw new TerminalError(`tree segment ${name} is missing`, { code: "segment-missing" });
    }
    counts.fetchedBytes += stored.length;
    return { row, stored };
  };
  // As they are stored they are small; a segment becomes entries only when it is its turn.
  const decode = ({ row, stored }: FetchedSegment): TreeSegment => {
    const [name, digest, storedBytes, entryCount, contentDigest] = row;
    const place = segmentPlace(objectKey(prefix, name));
    const isSealed = snapshot.format === SNAPSHOT_FORMATS.sealed;
    const unsealed = isSealed ? (body: Uint8Array) => unseal(keys, place, body) : null;
    const entries = segmentFromJson(decodeSegment(stored, digest, unsealed), name);
    const content = createHash("sha256");
    for (const entry of entries) content.update(`${describeEntry(entry)}\n`);
    if (entries.length !== entryCount || content.digest("hex") !== contentDigest) {
      throw corruptTree(snapshot.id, "content");
    }
    return { ref: { name, digest, storedBytes, entryCount, contentDigest }, entries };
  };
  const ahead: Promise<FetchedSegment>[] = [];
  for (let next = 0; next < snapshot.segments.length || ahead.length > 0; ) {
    for (; ahead.length < SEGMENTS_AHEAD && next < snapshot.segments.length; next += 1) {
      const row = snapshot.segments[next];
      if (row === undefined) break;
      const fetching = fetchOne(row);
      fetching.catch(() => undefined);
      ahead.push(fetching);
    }
    const first = ahead.shift();
    if (first !== undefined) yield decode(await first);
  }
}

type SegmentRow = Snapshot["segments"][number];

interface FetchedSegment {
  readonly row: SegmentRow;
  readonly stored: Uint8Array;
}
