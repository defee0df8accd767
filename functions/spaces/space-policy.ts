/**
 * The policy of a project's bucket. The platform's publisher owns the bucket, so the project's user
 * can do what stands here and nothing else: it can't change the policy, nor delete the bucket.
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

export const spacePolicy = ({ bucket, project, owner }: PolicyParties): string => {
  const arn = `arn:aws:s3:::${bucket}`;
  const user = { AWS: [project] };
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "list",
        Effect: "Allow",
        Principal: user,
        // RGW asks for a multi-delete at the bucket first, and for each key then.
        Action: [
          "s3:ListBucket",
          "s3:ListBucketMultipartUploads",
          "s3:GetBucketLocation",
          "s3:DeleteObject",
        ],
        Resource: [arn],
      },
      {
        Sid: "use",
        Effect: "Allow",
        Principal: user,
        Action: [...READS, ...WRITES],
        Resource: [`${arn}/*`],
      },
      {
        Sid: "platform",
        Effect: "Allow",
        Principal: { AWS: [owner] },
        Action: ["s3:*"],
        Resource: [arn, `${arn}/*`],
      },
      {
        Sid: "publishedIsReadOnly",
        Effect: "Deny",
        Principal: user,
        Action: CHANGES,
        Resource: [`${arn}/${PUBLISHED_PREFIX}*`, `${arn}/${NOTES_PREFIX}*`],
      },
    ],
  });
};
