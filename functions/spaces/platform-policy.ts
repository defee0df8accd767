/**
 * What a node's own user may do in the platform's bucket: read what it runs, write what it found, and
 * no more. A node that is taken over changes no record, deletes no data and reads no webhook's secret.
 * Pure.
 */

export interface PlatformParties {
  readonly bucket: string;
  /** The nodes' user, as a policy names it. */
  readonly node: string;
  /** The bucket's owner, whom `serve` signs as: on Ceph it may not read what another wrote there. */
  readonly owner: string;
}

/** Below the bucket; `*` stands for any name. */
const WRITTEN_BY_NODES = [
  "nodes/*",
  "leases/*",
  "pending/*",
  "projects/*/volumes/*",
  "projects/*/reports/*",
  "projects/*/progress/*",
  "projects/*/measures/*",
  "projects/*/taken/*",
];
/** A snapshot that turned out to be of no use, of the node's own making. */
const DELETED_BY_NODES = ["projects/*/volumes/*/snapshots/*"];
const SECRET_FROM_NODES = ["projects/*/webhook-secret.json", "projects/*/subscriber-secrets.json"];

export const platformPolicy = ({ bucket, node, owner }: PlatformParties): string => {
  const arn = `arn:aws:s3:::${bucket}`;
  const below = (places: readonly string[]) => places.map((place) => `${arn}/${place}`);
  const rule = (
    Sid: string,
    Effect: "Allow" | "Deny",
    Action: readonly string[],
    Resource: readonly string[],
  ) => ({ Sid, Effect, Principal: { AWS: [node] }, Action, Resource });
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "owner",
        Effect: "Allow",
        Principal: { AWS: [owner] },
        Action: ["s3:*"],
        Resource: [arn, `${arn}/*`],
      },
      // With the right to list, a key that is not there answers 404 instead of 403.
      rule("list", "Allow", ["s3:ListBucket", "s3:GetBucketVersioning"], [arn]),
      rule("read", "Allow", ["s3:GetObject"], below(["*"])),
      rule("write", "Allow", ["s3:PutObject"], below(WRITTEN_BY_NODES)),
      rule("remove", "Allow", ["s3:DeleteObject"], [arn, ...below(DELETED_BY_NODES)]),
      rule("secrets", "Deny", ["s3:GetObject"], below(SECRET_FROM_NODES)),
    ],
  });
};
