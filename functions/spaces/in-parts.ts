/** A stream of bytes as the parts of a multipart upload. */

/** S3 takes no smaller ones, but for the last; larger objects than this go in parts. */
export const PART_BYTES_MIN = 8 * 2 ** 20;
/** S3's bound for the parts of one object. */
const PARTS_MAX = 10_000;

export const partBytesOf = (objectBytes: number): number =>
  Math.max(PART_BYTES_MIN, Math.ceil(objectBytes / PARTS_MAX));

/** All of the size asked for, but for the last. */
export async function* inParts(
  chunks: AsyncIterable<Buffer>,
  bytes: number,
): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + bytes - heldBytes);
      held.push(piece);
      heldBytes += piece.length;
      at += piece.length;
      if (heldBytes < bytes) continue;
      yield Buffer.concat(held);
      held = [];
      heldBytes = 0;
    }
  }
  if (heldBytes > 0) yield Buffer.concat(held);
}
