/** Compares two files page by page. */
import { closeSync, openSync, readSync } from "node:fs";

const PAGE_BYTES = 4_096;
const READ_BYTES = 256 * PAGE_BYTES;

/** Bytes of all pages in which the files differ: what a perfect delta would have to store. */
export const changedFileBytes = (before: string, after: string): number => {
  const [a, b] = [openSync(before, "r"), openSync(after, "r")];
  const [old, now] = [Buffer.alloc(READ_BYTES), Buffer.alloc(READ_BYTES)];
  let changed = 0;
  for (let at = 0; ; at += READ_BYTES) {
    const bytes = readSync(b, now, 0, READ_BYTES, at);
    if (bytes === 0) break;
    old.fill(0, readSync(a, old, 0, READ_BYTES, at));
    for (let page = 0; page < bytes; page += PAGE_BYTES) {
      const end = Math.min(bytes, page + PAGE_BYTES);
      if (old.compare(now, page, end, page, end) !== 0) changed += PAGE_BYTES;
    }
  }
  closeSync(a);
  closeSync(b);
  return changed;
};
