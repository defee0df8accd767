/** Reads parts of a file and hashes their blocks on threads, some parts ahead of whoever compares them. */
import { sharedThreads } from "../threads/thread-pool.ts";
import type { ChangedRange } from "./changed-ranges.ts";
import { readExactly } from "./read-exactly.ts";

export interface DigestedPart extends ChangedRange {
  /** Valid until the next part is asked for. Null: a hole. */
  readonly bytes: Buffer | null;
  /** Of its blocks, 32 bytes each, zeros for zeros. */
  readonly digests: Uint8Array;
}

const PARTS_AHEAD = 4;
const NOTHING = new Uint8Array();

export interface DigestedFile {
  readonly fd: number;
  readonly blockBytes: number;
}

/** The parts in their order. */
export async function* digestParts(
  { fd, blockBytes }: DigestedFile,
  parts: Iterable<ChangedRange>,
): AsyncGenerator<DigestedPart> {
  const free: Buffer[] = [];
  const digest = async (part: ChangedRange): Promise<DigestedPart> => {
    if (part.isHole) return { ...part, bytes: null, digests: NOTHING };
    const known = free.findIndex((buffer) => buffer.length >= part.length);
    const buffer = free.splice(known, known < 0 ? 0 : 1)[0] ?? allocate(part.length);
    const bytes = buffer.subarray(0, part.length);
    readExactly(fd, bytes, part.offset);
    const job = { kind: "digest-blocks", bytes, blockBytes } as const;
    return { ...part, bytes, digests: await sharedThreads.run<"digest-blocks">(job, part.length) };
  };
  const ahead: Promise<DigestedPart>[] = [];
  async function* takeFirst(): AsyncGenerator<DigestedPart> {
    const first = await ahead.shift();
    if (first === undefined) return;
    yield first;
    // Only now has whoever compares them done with the bytes.
    if (first.bytes !== null) free.push(wholeOf(first.bytes));
  }
  for (const part of parts) {
    const work = digest(part);
    // Seen by whoever awaits it; without this a failure would also be unhandled.
    work.catch(() => undefined);
    ahead.push(work);
    if (ahead.length > PARTS_AHEAD) yield* takeFirst();
  }
  while (ahead.length > 0) yield* takeFirst();
}

const allocate = (bytes: number): Buffer => Buffer.from(new SharedArrayBuffer(bytes));

const wholeOf = ({ buffer }: Buffer): Buffer => Buffer.from(buffer);
