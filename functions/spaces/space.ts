/**
 * A project's space: a bucket that users and containers reach by S3. What the platform knows of it
 * stands in one object; which keys work is the store's own business and asked there.
 */
import type { Logger } from "pino";
import * as z from "zod";
import type { S3Topics } from "../../adapters/rgw-topics.ts";
import { type AccessKey, KEY_HOLDERS, type S3Accounts } from "../../adapters/s3-accounts.ts";
import type { S3Bucket } from "../../adapters/s3-bucket.ts";
import { spaceKey } from "../../adapters/store-keys.ts";
import { TerminalError } from "../../volume/errors.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import type { ProjectId } from "../../workflows/ids.ts";
import { encodeJson, readJsonObject } from "../json-object.ts";

/** `client`: shown once to the user, its secret kept nowhere. `container`: given to containers. */
export const KeyPurpose = z.enum(KEY_HOLDERS);
export type KeyPurpose = z.infer<typeof KeyPurpose>;

export const SpaceKey = z.strictObject({
  accessKeyId: z.string(),
  purpose: KeyPurpose,
  createdAtMs: z.int(),
  /** When a key that was replaced stops to work; null: it is the current one. */
  expiresAtMs: z.int().nullable(),
});
export type SpaceKey = z.infer<typeof SpaceKey>;

export const Space = z.strictObject({
  bucket: z.string(),
  /** The store's user whose keys these are. */
  user: z.string(),
  /** As users and containers reach it. */
  endpoint: z.string(),
  region: z.string(),
  keys: z.array(SpaceKey),
  /** What containers with `s3: true`, and nodes for the project's files, sign with. */
  container: z.strictObject({ accessKeyId: z.string(), secretAccessKey: z.string() }).nullable(),
  /** Part of the URL that the store pushes its notifications to. */
  notificationToken: z.string().nullable().default(null),
});
export type Space = z.infer<typeof Space>;

export interface SpaceSettings {
  readonly endpoint: string;
  readonly region: string;
  /** Before the project's name in bucket names and users. */
  readonly prefix: string;
  /** Where the store's gateways reach `serve`. */
  readonly notifyUrl: string;
  /** Where buckets on AWS tell of uploads instead; its ARN. */
  readonly notifyQueue: string | null;
}

export interface SpacePorts {
  readonly store: ObjectStore;
  readonly settings: SpaceSettings;
  /** The store's users; null where the process has no key for that. */
  readonly accounts: S3Accounts | null;
  /** A bucket as its owner; null where the process has not the publisher's key. */
  readonly openAsOwner: ((bucket: string) => S3Bucket) | null;
  /** Null where the process has not the publisher's key. */
  readonly topics: S3Topics | null;
  /** A bucket with a key of the project's own. */
  readonly openWith: (space: Space) => S3Bucket;
  readonly nowMs: () => number;
  readonly log: Logger;
}

export const findSpace = (
  { store }: Pick<SpacePorts, "store">,
  project: ProjectId,
  signal: AbortSignal,
): Promise<Space | null> => readJsonObject(store, spaceKey(project), Space, signal);

export const requireSpace = async (
  ports: Pick<SpacePorts, "store">,
  project: ProjectId,
  signal: AbortSignal,
): Promise<Space> => {
  const space = await findSpace(ports, project, signal);
  if (space !== null) return space;
  throw new TerminalError(`project ${project} has no S3 access`, {
    code: "no-space",
    hint: `bagage s3 enable ${project}`,
  });
};

export const saveSpace = async (
  { store }: Pick<SpacePorts, "store">,
  project: ProjectId,
  space: Space,
  signal: AbortSignal,
): Promise<void> => {
  await store.put(spaceKey(project), encodeJson(Space.parse(space)), {}, signal);
};

export const requireAccounts = ({ accounts }: Pick<SpacePorts, "accounts">): S3Accounts => {
  if (accounts !== null) return accounts;
  throw new TerminalError("this process may not manage the store's users", {
    code: "config-accounts",
    hint: "set BAGAGE_S3_ADMIN_ACCESS_KEY and BAGAGE_S3_ADMIN_SECRET_KEY",
  });
};

export const openAsOwner = (ports: Pick<SpacePorts, "openAsOwner">, bucket: string): S3Bucket => {
  if (ports.openAsOwner !== null) return ports.openAsOwner(bucket);
  throw new TerminalError("this process has no key of the buckets' owner", {
    code: "config-publisher",
    hint: "set BAGAGE_PUBLISHER_ACCESS_KEY and BAGAGE_PUBLISHER_SECRET_KEY",
  });
};

/** What the platform signs with for the project's own files. */
export const spaceCredentials = ({ container, bucket }: Space): AccessKey => {
  if (container !== null) return container;
  throw new TerminalError(`the containers' key of ${bucket} was revoked`, {
    code: "no-container-key",
    hint: "bagage s3 rotate PROJECT --containers",
  });
};
