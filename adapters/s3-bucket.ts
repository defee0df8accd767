/**
 * A bucket that is a user's rather than the platform's: plain objects under readable keys, with
 * content types and times. Nothing here is conditional, so the SDK's own retries serve.
 */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  type BucketLocationConstraint,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { contentMd5 } from "../volume/digest.ts";
import { RetryableError } from "../volume/errors.ts";
import { replaceNotification, type UploadNotification } from "./bucket-notification.ts";
import type { KeyPair, LiveKeys } from "./live-keys.ts";
import { credentialsOf, followKeys } from "./refused-keys.ts";
import { isAbsent, translateBucketError } from "./s3-errors.ts";

export interface S3BucketOptions extends KeyPair {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Asked with each request, in place of the pair. */
  readonly liveKeys?: LiveKeys | undefined;
}

export interface BucketObject {
  readonly key: string;
  readonly bytes: number;
  readonly etag: string;
  readonly modifiedAtMs: number;
}

export interface ObjectNotes {
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface S3Bucket {
  readonly name: string;
  /** Makes the bucket, where the store has several places in this one; one's own is no error. */
  create(location: string | null, signal: AbortSignal): Promise<void>;
  setPolicy(policy: string, signal: AbortSignal): Promise<void>;
  /** Where uploads are told of; null: nowhere. */
  setNotification(notification: UploadNotification | null, signal: AbortSignal): Promise<void>;
  put(key: string, body: Uint8Array, notes: ObjectNotes, signal: AbortSignal): Promise<void>;
  /** An object too large to hold: a part at a time, each with its digest. */
  putParts(
    key: string,
    parts: AsyncIterable<Uint8Array>,
    notes: ObjectNotes,
    signal: AbortSignal,
  ): Promise<void>;
  get(key: string, signal: AbortSignal): Promise<Uint8Array | null>;
  /** The body as it comes, with its user metadata; null when there is no such object. */
  open(
    key: string,
    signal: AbortSignal,
  ): Promise<{ readonly body: Readable; readonly metadata: Record<string, string> } | null>;
  head(key: string, signal: AbortSignal): Promise<BucketObject | null>;
  list(prefix: string, signal: AbortSignal): AsyncIterable<BucketObject>;
  delete(keys: readonly string[], signal: AbortSignal): Promise<void>;
  close(): void;
}

const SOCKETS_MAX = 32;
const CONNECT_TIMEOUT_MS = 5_000;
const IDLE_TIMEOUT_MS = 60_000;
const ATTEMPTS_MAX = 5;
const DELETE_KEYS_MAX = 1_000;

export const openS3Bucket = (options: S3BucketOptions): S3Bucket => {
  const client = connectClient(options);
  return {
    name: options.bucket,
    ...administer(client, options.bucket),
    ...write(client, options.bucket),
    ...read(client, options.bucket),
    close: () => client.destroy(),
  };
};

const connectClient = (options: S3BucketOptions): S3Client => {
  const { endpoint, region, accessKeyId, secretAccessKey, liveKeys } = options;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials:
      liveKeys === undefined ? { accessKeyId, secretAccessKey } : credentialsOf(liveKeys),
    maxAttempts: ATTEMPTS_MAX,
    // RGW 16 does not check these; each body has a Content-MD5, which it does.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: new NodeHttpHandler({
      httpAgent: new HttpAgent({ keepAlive: true, maxSockets: SOCKETS_MAX }),
      httpsAgent: new HttpsAgent({ keepAlive: true, maxSockets: SOCKETS_MAX }),
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: IDLE_TIMEOUT_MS,
    }),
  });
  return followKeys(client, liveKeys);
};

const translated = async <T>(what: string, call: Promise<T>): Promise<T> => {
  try {
    return await call;
  } catch (error) {
    throw translateBucketError(what, error);
  }
};

const orNull = <T>(what: string, call: Promise<T>): Promise<T | null> =>
  translated(
    what,
    call.catch((error: unknown) => {
      if (isAbsent(error)) return null;
      throw error;
    }),
  );

const administer = (
  client: S3Client,
  Bucket: string,
): Pick<S3Bucket, "create" | "setPolicy" | "setNotification"> => ({
  setNotification: async (notification, abortSignal) => {
    const done = replaceNotification(client, Bucket, notification, abortSignal);
    await translated(`notifications of ${Bucket}`, done);
  },
  create: async (location, abortSignal) => {
    const place = { LocationConstraint: location as BucketLocationConstraint };
    const command = { Bucket, ...(location !== null && { CreateBucketConfiguration: place }) };
    const made = client.send(new CreateBucketCommand(command), { abortSignal });
    await translated(
      `create ${Bucket}`,
      made.then(() => undefined, ifOwn),
    );
  },
  setPolicy: async (Policy, abortSignal) => {
    const command = new PutBucketPolicyCommand({ Bucket, Policy });
    await translated(`policy of ${Bucket}`, client.send(command, { abortSignal }));
  },
});

const write = (
  client: S3Client,
  Bucket: string,
): Pick<S3Bucket, "put" | "putParts" | "delete"> => ({
  put: async (Key, body, { contentType, metadata }, abortSignal) => {
    const command = new PutObjectCommand({
      Bucket,
      Key,
      Body: body,
      ContentLength: body.length,
      ContentMD5: contentMd5(body),
      ContentType: contentType,
      Metadata: { ...metadata },
    });
    await translated(`PUT ${Key} in ${Bucket}`, client.send(command, { abortSignal }));
  },
  putParts: (key, parts, notes, signal) => {
    const place = { Bucket, Key: key };
    return translated(`PUT ${key} in ${Bucket}`, uploadParts(client, place, parts, notes, signal));
  },
  delete: async (keys, abortSignal) => {
    for (let at = 0; at < keys.length; at += DELETE_KEYS_MAX) {
      const Objects = keys.slice(at, at + DELETE_KEYS_MAX).map((Key) => ({ Key }));
      const command = new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
      const sent = client.send(command, { abortSignal });
      const { Errors = [] } = await translated(`DELETE in ${Bucket}`, sent);
      const [failed] = Errors.filter(({ Code }) => Code !== "NoSuchKey");
      if (failed === undefined) continue;
      const message = `${failed.Key} of ${Bucket} remains: ${failed.Code}`;
      throw new RetryableError(message, { code: "store-delete-failed" });
    }
  },
});

const read = (
  client: S3Client,
  Bucket: string,
): Pick<S3Bucket, "get" | "open" | "head" | "list"> => ({
  get: async (Key, abortSignal) => {
    const sent = client.send(new GetObjectCommand({ Bucket, Key }), { abortSignal });
    const found = await orNull(`GET ${Key} in ${Bucket}`, sent);
    return (await found?.Body?.transformToByteArray()) ?? null;
  },
  open: async (Key, abortSignal) => {
    const sent = client.send(new GetObjectCommand({ Bucket, Key }), { abortSignal });
    const found = await orNull(`GET ${Key} in ${Bucket}`, sent);
    if (found === null) return null;
    return { body: found.Body as Readable, metadata: found.Metadata ?? {} };
  },
  head: async (Key, abortSignal) => {
    const sent = client.send(new HeadObjectCommand({ Bucket, Key }), { abortSignal });
    const found = await orNull(`HEAD ${Key} in ${Bucket}`, sent);
    if (found === null) return null;
    const { ContentLength, ETag, LastModified } = found;
    return toObject(Key, ContentLength, ETag, LastModified);
  },
  list: (prefix, signal) => listAll(client, Bucket, prefix, signal),
});

const ifOwn = (error: unknown): void => {
  if ((error as { name?: string }).name !== "BucketAlreadyOwnedByYou") throw error;
};

const toObject = (
  key: string,
  bytes: number | undefined,
  etag: string | undefined,
  modified: Date | undefined,
): BucketObject => ({
  key,
  bytes: bytes ?? 0,
  etag: etag ?? "",
  modifiedAtMs: modified?.getTime() ?? 0,
});

async function* listAll(
  client: S3Client,
  Bucket: string,
  Prefix: string,
  abortSignal: AbortSignal,
): AsyncGenerator<BucketObject> {
  let token: string | undefined;
  do {
    const command = new ListObjectsV2Command({
      Bucket,
      Prefix,
      ...(token !== undefined && { ContinuationToken: token }),
    });
    const page = await client.send(command, { abortSignal }).catch((error: unknown) => {
      throw translateBucketError(`LIST ${Prefix} in ${Bucket}`, error);
    });
    for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
      if (Key !== undefined) yield toObject(Key, Size, ETag, LastModified);
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

const uploadParts = async (
  client: S3Client,
  place: { readonly Bucket: string; readonly Key: string },
  parts: AsyncIterable<Uint8Array>,
  { contentType, metadata }: ObjectNotes,
  abortSignal: AbortSignal,
): Promise<void> => {
  const create = { ...place, ContentType: contentType, Metadata: { ...metadata } };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(create), { abortSignal });
  const upload = { ...place, UploadId };
  try {
    const Parts: { ETag: string | undefined; PartNumber: number }[] = [];
    for await (const body of parts) {
      const PartNumber = Parts.length + 1;
      const ContentMD5 = contentMd5(body);
      const command = new UploadPartCommand({ ...upload, PartNumber, Body: body, ContentMD5 });
      const { ETag } = await client.send(command, { abortSignal });
      Parts.push({ ETag, PartNumber });
    }
    const complete = { ...upload, MultipartUpload: { Parts } };
    await client.send(new CompleteMultipartUploadCommand(complete), { abortSignal });
  } catch (error) {
    // What stays of a broken upload costs space that nobody sees.
    await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw error;
  }
};
