/** A user of its own for each kind of process, with the policy that `bagage store policy` prints. */
import { CreateBucketCommand, PutBucketPolicyCommand } from "@aws-sdk/client-s3";
import type { AccessKey } from "../../adapters/s3-accounts.ts";
import {
  PLATFORM_ROLES,
  type PlatformRole,
  platformPolicy,
} from "../../functions/platform-policy.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { connectUser, requireStore } from "./spaces-scene.ts";

/** The lab's own user, which makes the platform's bucket. */
const OWNER = "bagage";

const principalOf = (user: string): string => `arn:aws:iam:::user/${user}`;

/** Makes the bucket and the users; `name` tells them from those of other tests. */
export const givePlatformKeys = async (
  lab: Lab,
  { bucket, name }: { readonly bucket: string; readonly name: string },
  signal: AbortSignal,
): Promise<Record<PlatformRole, AccessKey>> => {
  const s3 = requireStore(lab);
  const made = await Promise.all(
    PLATFORM_ROLES.map(async (role): Promise<[PlatformRole, AccessKey]> => {
      const user = `${role}-${name}`;
      const key = { accessKeyId: `${user}-key`, secretAccessKey: `${user}-secret` };
      const create = ["user", "create", "--uid", user, "--display-name", role];
      const keys = ["--access-key", key.accessKeyId, "--secret-key", key.secretAccessKey];
      await s3.radosgwAdmin([...create, ...keys, "--max-buckets", "-1"], signal);
      return [role, key];
    }),
  );
  const owner = connectUser(s3, s3);
  await owner.send(new CreateBucketCommand({ Bucket: bucket }));
  const users = Object.fromEntries(made.map(([role]) => [role, principalOf(`${role}-${name}`)]));
  const Policy = platformPolicy({ bucket, owner: principalOf(OWNER), users });
  await owner.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
  return Object.fromEntries(made) as Record<PlatformRole, AccessKey>;
};

/** The settings by which a process signs with the key. */
export const storeKeys = ({ accessKeyId, secretAccessKey }: AccessKey) => ({
  BAGAGE_S3_ACCESS_KEY: accessKeyId,
  BAGAGE_S3_SECRET_KEY: secretAccessKey,
});
