/**
 * The port through which bytes reach an object store (S3 or a directory). It lives with its first
 * user; adapters implement it and one contract suite (test/contract) holds each of them to it.
 */

/** What a create-once PUT found. */
export type PutOutcome = "stored" | "exists";

export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
  /** In listings of stores that have it: another one, when the body is another. */
  readonly etag?: string;
  /** In listings of stores that tell: how long it has been there, by the store's own clock. */
  readonly ageMs?: number;
}

export interface PutOptions {
  /**
   * Create only when no object stands at the key (`If-None-Match: *`). Default false. This is the
   * only conditional operation in the whole system.
   */
  readonly ifAbsent?: boolean;
  readonly contentType?: string;
  /** The body's Content-MD5 where the caller has it already; it is computed otherwise. */
  readonly contentMd5?: string;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface ObjectStore {
  /**
   * Stores the whole body under the key, atomically, its digest checked by the store (Content-MD5).
   * `exists` is only returned with `ifAbsent`. With `ifAbsent` the call is tried once: an unknown
   * outcome is thrown as AmbiguousError and the caller repeats the same body.
   */
  put(key: string, body: Uint8Array, options: PutOptions, signal: AbortSignal): Promise<PutOutcome>;

  /** The body (or exactly the range asked for), or null when no object stands at the key. */
  get(key: string, signal: AbortSignal, range?: ByteRange): Promise<Uint8Array | null>;

  /** Size without body, or null when no object stands at the key. */
  head(key: string, signal: AbortSignal): Promise<ObjectInfo | null>;

  /** Objects under the prefix in key order (bytewise). Never truth: a hint for sweeps and garbage. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<ObjectInfo>;

  /** Names of the folders right below a prefix that ends with `/`, sorted; at no cost for what is in them. */
  listFolders(prefix: string, signal: AbortSignal): Promise<string[]>;

  /** Deletes the keys; keys that do not exist are no error. */
  delete(keys: readonly string[], signal: AbortSignal): Promise<void>;

  /**
   * For the start-up probe: stores the body with a Content-MD5 that the caller claims, right or
   * wrong. A store that checks what arrives rejects a wrong one. Absent: there is no wire to check.
   */
  putWithDigest?(
    key: string,
    body: Uint8Array,
    claimedMd5: string,
    signal: AbortSignal,
  ): Promise<void>;

  /** For the start-up probe: whether overwritten bodies are kept as versions. Absent: no such thing. */
  isVersioned?(signal: AbortSignal): Promise<boolean>;
}
