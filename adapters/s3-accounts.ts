/**
 * The port to whoever keeps the users of an S3 store: Ceph's gateway or AWS's IAM. A project's user
 * may do what its policy says, and nothing to the policy.
 */

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Who a key is for. A store that bounds the keys of one user keeps them apart. */
export const KEY_HOLDERS = ["client", "container"] as const;
export type KeyHolder = (typeof KEY_HOLDERS)[number];

/** Null: without limit. */
export interface SpaceQuota {
  readonly bytes: number | null;
  readonly objects: number | null;
}

/** Where what a user may do is written down. */
export type PolicyPlace =
  | {
      readonly kind: "bucket";
      /** The user's name in a bucket policy. */
      principalOf(user: string): string;
      /** The user that owns the bucket. */
      ownerOf(bucket: string, signal: AbortSignal): Promise<string>;
    }
  | {
      readonly kind: "user";
      /** Replaces all that the user may do. Call it before the first key is made. */
      set(user: string, policy: string, signal: AbortSignal): Promise<void>;
    };

export interface S3Accounts {
  readonly policies: PolicyPlace;
  /** Where new buckets are to be made; null: the store has one place. */
  readonly bucketLocation: string | null;
  /** Creates a user that may make no buckets. Idempotent. */
  ensureUser(user: string, signal: AbortSignal): Promise<void>;
  /** A further key; the others go on working. Its secret can't be read again. */
  createKey(user: string, holder: KeyHolder, signal: AbortSignal): Promise<AccessKey>;
  /** Ids of all keys that work, in no order. */
  listKeys(user: string, signal: AbortSignal): Promise<string[]>;
  /** Idempotent. */
  removeKey(user: string, accessKeyId: string, signal: AbortSignal): Promise<void>;
  /** Counts all that is in the bucket, whoever wrote it. A store without quotas refuses. */
  setQuota(bucket: string, quota: SpaceQuota, signal: AbortSignal): Promise<void>;
  /** A key for OpenStack's Swift protocol, in place of the one before. A store without it refuses. */
  replaceSwiftKey(
    user: string,
    signal: AbortSignal,
  ): Promise<{ readonly swiftUser: string; readonly secretKey: string }>;
}
