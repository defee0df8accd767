/**
 * What a project's user may do with the project's bucket, and nothing else: it can't change this, nor
 * delete the bucket. Written into the bucket's policy, or into the user's where the store has those.
 * Pure.
 */
import { NOTES_PREFIX, PUBLISHED_PREFIX } from "./space-names.ts";

export interface PolicyParties {
  readonly bucket: string;
  /** The project's user, as a policy names it. */
  readonly project: string;
  /** The bucket's owner: reads what the project's user wrote, too. */
  readonly owner: string;
}

const READS = ["s3:GetObject", "s3:ListMultipartUploadParts"];
const WRITES = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"];
/** Everything that would change an object or what can be known of it. */
const CHANGES = [...WRITES, "s3:PutObjectAcl", "s3:PutObjectTagging", "s3:DeleteObjectTagging"];

interface Rule {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
}

const VERSION = "2012-10-17";

const rulesOf = (arn: string): readonly Rule[] => [
  {
    Sid: "list",
    Effect: "Allow",
    // A multi-delete is asked for at the bucket first, and for each key then: by RGW, that is.
    Action: [
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
      "s3:GetBucketLocation",
      "s3:DeleteObject",
    ],
    Resource: [arn],
  },
  { Sid: "use", Effect: "Allow", Action: [...READS, ...WRITES], Resource: [`${arn}/*`] },
  {
    Sid: "publishedIsReadOnly",
    Effect: "Deny",
    Action: CHANGES,
    Resource: [`${arn}/${PUBLISHED_PREFIX}*`, `${arn}/${NOTES_PREFIX}*`],
  },
];

/** The policy of the bucket, which the platform's publisher owns. */
export const spacePolicy = ({ bucket, project, owner }: PolicyParties): string => {
  const arn = `arn:aws:s3:::${bucket}`;
  const user = { AWS: [project] };
  return JSON.stringify({
    Version: VERSION,
    Statement: [
      ...rulesOf(arn).map((rule) => ({ ...rule, Principal: user })),
      {
        Sid: "platform",
        Effect: "Allow",
        Principal: { AWS: [owner] },
        Action: ["s3:*"],
        Resource: [arn, `${arn}/*`],
      },
    ],
  });
};

/** The policy of the project's user, on AWS: there an account owns the bucket. */
export const spaceUserPolicy = (bucket: string): string =>
  JSON.stringify({ Version: VERSION, Statement: rulesOf(`arn:aws:s3:::${bucket}`) });
