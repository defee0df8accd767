/** A file's name in a volume → the key it is published under, or why it can't be. */

/** S3's bound, in bytes of UTF-8. */
const KEY_BYTES_MAX = 1_024;
/** A listing is XML 1.0, which has no way to write these. */
const NOT_IN_XML = /[\p{Cc}\ufffe\uffff]/u;
/** Parts of 8 to 64 MiB, 10,000 at most: S3's own bound. */
export const PUBLISHED_BYTES_MAX = 10_000 * 64 * 2 ** 20;

export type PublishedName =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "left-out"; readonly reason: string };

/** Keys are the names as they are: two names never share one. */
export const publishedKey = (prefix: string, path: Buffer): PublishedName => {
  const text = path.toString("utf8");
  if (!Buffer.from(text, "utf8").equals(path)) return leftOut("its name is not UTF-8");
  if (NOT_IN_XML.test(text)) return leftOut("its name has a control character");
  const key = `${prefix}${text}`;
  return Buffer.byteLength(key) > KEY_BYTES_MAX
    ? leftOut(`its key would be longer than ${KEY_BYTES_MAX} bytes`)
    : { kind: "key", key };
};

const leftOut = (reason: string): PublishedName => ({ kind: "left-out", reason });
