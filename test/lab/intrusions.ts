/** The negative matrix: every way to reach into a bucket with the key of somebody else. */
import {
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  type DeleteObjectsCommandOutput,
  GetBucketAclCommand,
  GetBucketPolicyCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketAclCommand,
  PutBucketPolicyCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";

/** `own` is a bucket that the client may write; each call is under way when it returns. */
export const intrusions = (client: S3Client, own: string, Bucket: string, Key: string) => {
  const CopySource = `${Bucket}/${Key}`;
  const upload = { Bucket: own, Key: "part", UploadId: "none", PartNumber: 1, CopySource };
  const acl = "public-read" as const;
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [] });
  return {
    get: client.send(new GetObjectCommand({ Bucket, Key })),
    head: client.send(new HeadObjectCommand({ Bucket, Key })),
    "get missing": client.send(new GetObjectCommand({ Bucket, Key: "no such key" })),
    put: client.send(new PutObjectCommand({ Bucket, Key: "intruder", Body: "x" })),
    overwrite: client.send(new PutObjectCommand({ Bucket, Key, Body: "x" })),
    list: client.send(new ListObjectsV2Command({ Bucket })),
    "head bucket": client.send(new HeadBucketCommand({ Bucket })),
    "copy from": client.send(new CopyObjectCommand({ Bucket: own, Key: "copy", CopySource })),
    "copy part from": client.send(new UploadPartCopyCommand(upload)),
    "copy into": client.send(
      new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${own}/volumes/data/a.txt` }),
    ),
    "multi-part": client.send(new CreateMultipartUploadCommand({ Bucket, Key: "copy" })),
    delete: client.send(new DeleteObjectCommand({ Bucket, Key })),
    "multi-delete": client
      .send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key }] } }))
      .then(throwDenied),
    "get acl": client.send(new GetObjectAclCommand({ Bucket, Key })),
    "put acl": client.send(new PutObjectAclCommand({ Bucket, Key, ACL: acl })),
    "get bucket acl": client.send(new GetBucketAclCommand({ Bucket })),
    "put bucket acl": client.send(new PutBucketAclCommand({ Bucket, ACL: acl })),
    "get policy": client.send(new GetBucketPolicyCommand({ Bucket })),
    "put policy": client.send(new PutBucketPolicyCommand({ Bucket, Policy })),
    "delete policy": client.send(new DeleteBucketPolicyCommand({ Bucket })),
    "delete bucket": client.send(new DeleteBucketCommand({ Bucket })),
  };
};

/** AWS refuses each key within an answer of 200, Ceph's gateway all of them with 403. */
const throwDenied = ({ Errors = [] }: DeleteObjectsCommandOutput): void => {
  if (!Errors.some(({ Code }) => Code === "AccessDenied")) return;
  throw Object.assign(new Error("AccessDenied"), { $metadata: { httpStatusCode: 403 } });
};
