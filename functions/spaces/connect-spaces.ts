/** Assembles what projects' S3 spaces need, with the keys that this process was given. */
import { openIamAccounts } from "../../adapters/iam-accounts.ts";
import {
  type FiledKeyPair,
  type KeyPair,
  type LiveKeys,
  openKeyFiles,
} from "../../adapters/live-keys.ts";
import { openRgwAdmin } from "../../adapters/rgw-admin.ts";
import { openRgwTopics } from "../../adapters/rgw-topics.ts";
import type { S3Accounts } from "../../adapters/s3-accounts.ts";
import { openS3Bucket } from "../../adapters/s3-bucket.ts";
import type { Config } from "../config.ts";
import type { ControlPorts } from "../control-ports.ts";
import { type SpacePorts, spaceCredentials } from "./space.ts";

/** In place of the configuration's own, as they are replaced. */
export interface SpaceKeys {
  readonly admin?: LiveKeys | undefined;
  readonly publisher?: LiveKeys | undefined;
}

/** Those whose pairs are in files. */
export const openSpaceKeys = (
  { admin, publisher }: Config["spaces"],
  onKeys?: (keys: KeyPair) => void,
): SpaceKeys => {
  const open = (pair: FiledKeyPair | null): LiveKeys | undefined =>
    pair === null ? undefined : openKeyFiles(pair, pair.keyFiles, onKeys);
  return { admin: open(admin), publisher: open(publisher) };
};

export const connectSpaces = (
  config: Pick<Config, "store" | "spaces">,
  { store, nowMs, log }: Pick<ControlPorts, "store" | "nowMs" | "log">,
  keys: SpaceKeys = {},
): SpacePorts => {
  const { endpoint, prefix, notifyUrl, notifyQueue, publisher } = config.spaces;
  const { endpoints, region } = config.store;
  const owner =
    publisher === null
      ? null
      : { endpoint: endpoints[0] ?? endpoint, region, ...publisher, liveKeys: keys.publisher };
  return {
    store,
    settings: { endpoint, region, prefix, notifyUrl, notifyQueue },
    accounts: connectAccounts(config, keys.admin),
    openAsOwner: owner === null ? null : (bucket) => openS3Bucket({ ...owner, bucket }),
    topics: owner === null ? null : openRgwTopics(owner),
    openWith: (space) => {
      const { bucket, region } = space;
      return openS3Bucket({
        endpoint: space.endpoint,
        region,
        bucket,
        ...spaceCredentials(space),
      });
    },
    nowMs,
    log,
  };
};

const connectAccounts = (
  {
    store: { endpoints, region },
    spaces: { accounts, admin, endpoint },
  }: Pick<Config, "store" | "spaces">,
  liveKeys: LiveKeys | undefined,
): S3Accounts | null => {
  if (accounts === "iam") return openIamAccounts({ region, credentials: admin, liveKeys });
  if (admin === null) return null;
  return openRgwAdmin({
    endpoints: endpoints.length > 0 ? endpoints : [endpoint],
    region,
    ...admin,
    liveKeys,
  });
};
