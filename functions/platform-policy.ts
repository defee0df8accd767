/**
 * What each kind of process may do in the platform's bucket: what its work takes, and no more. A node
 * that is taken over changes no record, deletes no data and reads no webhook's secret; an edge changes
 * nothing but its own sign of life; of all of them the collector alone can delete data. Pure.
 */

export const PLATFORM_ROLES = ["control", "node", "edge", "collector"] as const;
export type PlatformRole = (typeof PLATFORM_ROLES)[number];

/** Places below the bucket; `*` stands for any text. What is in `never` is taken from `may`. */
interface Places {
  readonly may: readonly string[];
  readonly never: readonly string[];
}

interface Rights {
  readonly read: Places;
  readonly write: Places;
  readonly delete: Places;
}

const ANYWHERE = ["*"];
const SECRETS = [
  "projects/*/webhook-secret.json",
  "projects/*/subscriber-secrets.json",
  "tokens/*",
];
const PACKS = ["projects/*/volumes/*/e*/*/p-*", "projects/*/volumes/*/e*/*/t-*"];
const RECORDS = ["projects/*/record/*", "projects/*/record-latest"];

const RIGHTS: Readonly<Record<PlatformRole, Rights>> = {
  control: {
    read: { may: ANYWHERE, never: [] },
    // Data come from nodes alone; a clone is a snapshot without any.
    write: { may: ANYWHERE, never: PACKS },
    delete: { may: ANYWHERE, never: ["projects/*/volumes/*", "projects/*/record/*"] },
  },
  node: {
    read: { may: ANYWHERE, never: SECRETS },
    write: {
      may: [
        "nodes/*",
        "leases/*",
        "pending/*",
        "projects/*/volumes/*",
        "projects/*/reports/*",
        "projects/*/progress/*",
        "projects/*/measures/*",
        "projects/*/taken/*",
        "projects/*/warmings/*",
      ],
      never: [],
    },
    // A snapshot that turned out to be of no use, of the node's own making.
    delete: { may: ["projects/*/volumes/*/snapshots/*"], never: [] },
  },
  edge: {
    // What is asked for to know whether the store answers is not there.
    read: { may: [...RECORDS, "edge/*", "nodes/*", "probe/ready"], never: [] },
    write: { may: ["edge/edges/*"], never: [] },
    delete: { may: [], never: [] },
  },
  collector: {
    read: { may: [...RECORDS, "projects/*/volumes/*"], never: [] },
    write: { may: [], never: [] },
    delete: {
      may: ["projects/*/volumes/*", "projects/*/reports/*", "projects/*/taken/*"],
      never: [],
    },
  },
};

const ACTIONS = { read: "s3:GetObject", write: "s3:PutObject", delete: "s3:DeleteObject" } as const;
const VERSION = "2012-10-17";

interface Statement {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
}

const statementsOf = (bucket: string, role: PlatformRole): Statement[] => {
  const arn = `arn:aws:s3:::${bucket}`;
  const rule = (
    name: string,
    Effect: Statement["Effect"],
    Action: readonly string[],
    places: readonly string[],
  ): Statement[] => {
    const Resource = places.map((place) => (place === "" ? arn : `${arn}/${place}`));
    return places.length === 0 ? [] : [{ Sid: `${role}${name}`, Effect, Action, Resource }];
  };
  const { read, write, delete: remove } = RIGHTS[role];
  return [
    // With the right to list, a key that is not there answers 404 instead of 403.
    ...rule("Lists", "Allow", ["s3:ListBucket", "s3:GetBucketVersioning"], [""]),
    ...rule("Reads", "Allow", [ACTIONS.read], read.may),
    ...rule("ReadsNever", "Deny", [ACTIONS.read], read.never),
    ...rule("Writes", "Allow", [ACTIONS.write], write.may),
    ...rule("WritesNever", "Deny", [ACTIONS.write], write.never),
    // Ceph's gateway asks for a multi-delete at the bucket first, and for each key then.
    ...rule(
      "Deletes",
      "Allow",
      [ACTIONS.delete],
      remove.may.length === 0 ? [] : ["", ...remove.may],
    ),
    ...rule("DeletesNever", "Deny", [ACTIONS.delete], remove.never),
  ];
};

export interface PlatformParties {
  readonly bucket: string;
  /** As a policy names it. On Ceph an owner may not even read what another wrote, unless told so. */
  readonly owner: string;
  /** Those that have a user of their own, as a policy names them. */
  readonly users: Partial<Readonly<Record<PlatformRole, string>>>;
}

/** The policy of the platform's bucket: of Ceph's gateway, which knows no other. */
export const platformPolicy = ({ bucket, owner, users }: PlatformParties): string => {
  const arn = `arn:aws:s3:::${bucket}`;
  const all = {
    Sid: "owner",
    Effect: "Allow",
    Principal: { AWS: [owner] },
    Action: ["s3:*"],
    Resource: [arn, `${arn}/*`],
  };
  const others = PLATFORM_ROLES.flatMap((role) => {
    const user = users[role];
    if (user === undefined) return [];
    return statementsOf(bucket, role).map((rule) => ({ ...rule, Principal: { AWS: [user] } }));
  });
  return JSON.stringify({ Version: VERSION, Statement: [all, ...others] });
};

/** The policy of one user or role, on AWS. */
export const platformUserPolicy = (bucket: string, role: PlatformRole): string =>
  JSON.stringify({ Version: VERSION, Statement: statementsOf(bucket, role) });

/** On AWS: of the user that owns projects' buckets and publishes into them. */
export const publisherUserPolicy = (bucketPrefix: string): string => {
  const arn = `arn:aws:s3:::${bucketPrefix}*`;
  const own = { Effect: "Allow", Action: ["s3:*"], Resource: [arn, `${arn}/*`] };
  return JSON.stringify({ Version: VERSION, Statement: [{ Sid: "publishes", ...own }] });
};

/** On AWS: of whoever makes projects' users and keys; it reaches no data. */
export const administratorUserPolicy = (userPath: string): string => {
  const Action = [
    "iam:CreateUser",
    "iam:PutUserPolicy",
    "iam:CreateAccessKey",
    "iam:ListAccessKeys",
    "iam:DeleteAccessKey",
  ];
  const Resource = [`arn:aws:iam::*:user${userPath}*`];
  const Statement = [{ Sid: "administers", Effect: "Allow", Action, Resource }];
  return JSON.stringify({ Version: VERSION, Statement });
};
