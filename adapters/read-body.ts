/** Reads the body of a response whose length is known before. */
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { finished } from "node:stream/promises";

/**
 * Each part goes to its place as it arrives: the SDK would gather them and join them at the end, which
 * costs a hydrate another pass over all its bytes and twice the memory. Throws, as a connection that
 * was reset does, when other than `length` bytes come.
 */
export const readBody = async (body: Readable, length: number | undefined): Promise<Uint8Array> => {
  if (length === undefined) return buffer(body);
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  body.on("data", (part: Buffer) => {
    if (at + part.length <= length) part.copy(bytes, at);
    at += part.length;
  });
  await finished(body);
  if (at === length) return bytes;
  const cut = new Error(`${at} of ${length} bytes came`);
  throw Object.assign(cut, { code: "ECONNRESET" });
};
