/**
 * The port to whoever keeps the users of an S3 store. A project's user owns nothing: what it may do
 * is in the policy of its bucket. Ceph's gateway is behind it; IAM would be a second adapter.
 */

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Null: without limit. */
export interface SpaceQuota {
  readonly bytes: number | null;
  readonly objects: number | null;
}

export interface S3Accounts {
  /** Creates a user that may make no buckets. Idempotent. */
  ensureUser(user: string, signal: AbortSignal): Promise<void>;
  /** A further key; the others go on working. Its secret can't be read again. */
  createKey(user: string, signal: AbortSignal): Promise<AccessKey>;
  /** Ids of all keys that work, in no order. */
  listKeys(user: string, signal: AbortSignal): Promise<string[]>;
  /** Idempotent. */
  removeKey(user: string, accessKeyId: string, signal: AbortSignal): Promise<void>;
  /** The user's name in a bucket policy. */
  principalOf(user: string): string;
  /** The user that owns the bucket. */
  ownerOf(bucket: string, signal: AbortSignal): Promise<string>;
  /** Counts all that is in the bucket, whoever wrote it. */
  setQuota(bucket: string, quota: SpaceQuota, signal: AbortSignal): Promise<void>;
  /** A key for OpenStack's Swift protocol, in place of the one before. */
  replaceSwiftKey(
    user: string,
    signal: AbortSignal,
  ): Promise<{ readonly swiftUser: string; readonly secretKey: string }>;
}
