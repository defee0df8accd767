/** Assembles what projects' S3 spaces need, with the keys that this process was given. */
import { openIamAccounts } from "../../adapters/iam-accounts.ts";
import { openRgwAdmin } from "../../adapters/rgw-admin.ts";
import { openRgwTopics } from "../../adapters/rgw-topics.ts";
import type { S3Accounts } from "../../adapters/s3-accounts.ts";
import { openS3Bucket } from "../../adapters/s3-bucket.ts";
import type { Config } from "../config.ts";
import type { ControlPorts } from "../control-ports.ts";
import { type SpacePorts, spaceCredentials } from "./space.ts";

export const connectSpaces = (
  config: Pick<Config, "store" | "spaces">,
  { store, nowMs, log }: Pick<ControlPorts, "store" | "nowMs" | "log">,
): SpacePorts => {
  const { endpoint, prefix, notifyUrl, notifyQueue, publisher } = config.spaces;
  const { endpoints, region } = config.store;
  return {
    store,
    settings: { endpoint, region, prefix, notifyUrl, notifyQueue },
    accounts: connectAccounts(config),
    openAsOwner:
      publisher === null
        ? null
        : (bucket) =>
            openS3Bucket({ endpoint: endpoints[0] ?? endpoint, region, bucket, ...publisher }),
    topics:
      publisher === null
        ? null
        : openRgwTopics({ endpoint: endpoints[0] ?? endpoint, region, ...publisher }),
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

const connectAccounts = ({
  store: { endpoints, region },
  spaces: { accounts, admin, endpoint },
}: Pick<Config, "store" | "spaces">): S3Accounts | null => {
  if (accounts === "iam") return openIamAccounts({ region, credentials: admin });
  if (admin === null) return null;
  return openRgwAdmin({
    endpoints: endpoints.length > 0 ? endpoints : [endpoint],
    region,
    ...admin,
  });
};
