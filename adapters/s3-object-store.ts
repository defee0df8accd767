/**
 * The object store over S3, made for Ceph RGW first. What RGW does differently from AWS, and what
 * the protocol relies on, is set here call by call and never left to a default of the SDK.
 */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import {
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { contentMd5 } from "../volume/digest.ts";
import { AmbiguousError, RetryableError } from "../volume/errors.ts";
import type { ByteRange, ObjectInfo, ObjectStore } from "../volume/object-store.ts";
import type { LiveKeys } from "./live-keys.ts";
import { readBody } from "./read-body.ts";
import { credentialsOf, followKeys } from "./refused-keys.ts";
import { isAbsent, isRetryable, isTaken, translateS3Error } from "./s3-errors.ts";
import { listObjects, listPages } from "./s3-listing.ts";

export interface S3StoreOptions {
  /** One or more gateways of the same store; the next one is used when one does not answer. */
  readonly endpoints: readonly string[];
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Asked with each request, in place of the two above. */
  readonly liveKeys?: LiveKeys | undefined;
}

const SOCKETS_MAX = 32;
const CONNECT_TIMEOUT_MS = 5_000;
/** Between two bytes of one request; a 64 MiB pack on a slow link still makes progress. */
const IDLE_TIMEOUT_MS = 60_000;
const TRIES_MAX = 6;
const PAUSE_MAX_MS = 5_000;
/** S3's own bound for one DeleteObjects request. */
const DELETE_KEYS_MAX = 1_000;

export interface S3ObjectStore extends ObjectStore {
  putWithDigest: NonNullable<ObjectStore["putWithDigest"]>;
  /** Whether the bucket keeps versions, in which a conditional write may be ignored. */
  isVersioned(signal: AbortSignal): Promise<boolean>;
  close(): void;
}

const createClient = (options: S3StoreOptions, endpoint: string): S3Client => {
  const { liveKeys, accessKeyId, secretAccessKey } = options;
  const client = new S3Client({
    endpoint,
    region: options.region,
    forcePathStyle: true,
    credentials:
      liveKeys === undefined ? { accessKeyId, secretAccessKey } : credentialsOf(liveKeys),
    // Retries stand in this file, because a conditional write must not be repeated unseen.
    maxAttempts: 1,
    // RGW 16 accepts a wrong x-amz-checksum-crc32 but refuses a wrong Content-MD5, which each PUT has.
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

export const openS3ObjectStore = (options: S3StoreOptions): S3ObjectStore => {
  const clients = options.endpoints.map((endpoint) => createClient(options, endpoint));
  const Bucket = options.bucket;
  let current = 0;
  /** One try. After a failure the next call asks the next gateway. */
  const once = async <T>(call: (client: S3Client) => Promise<T>): Promise<T> => {
    const used = current;
    try {
      return await call(clients[used % clients.length] as S3Client);
    } catch (error) {
      if (isRetryable(error) && current === used) current += 1;
      throw error;
    }
  };
  const retried = async <T>(
    what: string,
    signal: AbortSignal,
    call: (client: S3Client) => Promise<T>,
  ): Promise<T> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await once(call);
      } catch (error) {
        signal.throwIfAborted();
        if (!isRetryable(error) || tries >= TRIES_MAX) throw translateS3Error(what, error);
        await sleep(Math.random() * Math.min(PAUSE_MAX_MS, 50 * 2 ** tries), null, { signal });
      }
    }
  };
  return {
    put: async (key, body, { ifAbsent, contentType, contentMd5: md5 }, signal) => {
      const Key = key;
      const ContentMD5 = md5 ?? contentMd5(body);
      const ContentType = contentType ?? "application/octet-stream";
      const create = { ...(ifAbsent === true && { IfNoneMatch: "*" }) };
      const put = (client: S3Client) =>
        putObject(client, { Bucket, Key, ContentMD5, ContentType, ...create }, body, signal);
      if (ifAbsent !== true) {
        await retried(`PUT ${key}`, signal, put);
        return "stored";
      }
      try {
        await once(put);
        return "stored";
      } catch (error) {
        if (isTaken(error)) return "exists";
        signal.throwIfAborted();
        const known = translateS3Error(`PUT ${key}`, error);
        if (!(known instanceof RetryableError)) throw known;
        throw new AmbiguousError(`PUT ${key}: outcome unknown`, {
          code: "store-ambiguous",
          cause: error,
        });
      }
    },
    get: (key, signal, range) =>
      retried(`GET ${key}`, signal, (client) =>
        getObject(client, { Bucket, Key: key }, range, signal),
      ),
    head: (key, signal) =>
      retried(`HEAD ${key}`, signal, (client) => headObject(client, { Bucket, Key: key }, signal)),
    list: (prefix, signal) => listObjects(retried, { Bucket, Prefix: prefix }, signal),
    listFolders: async (prefix, signal) => {
      const place = { Bucket, Prefix: prefix, Delimiter: "/" };
      const names: string[] = [];
      for await (const { CommonPrefixes = [] } of listPages(retried, place, signal)) {
        names.push(...CommonPrefixes.map(({ Prefix = "" }) => Prefix.slice(prefix.length, -1)));
      }
      return names.sort();
    },
    delete: async (keys, signal) => {
      for (let at = 0; at < keys.length; at += DELETE_KEYS_MAX) {
        const Objects = keys.slice(at, at + DELETE_KEYS_MAX).map((Key) => ({ Key }));
        await retried("DELETE", signal, (client) => deleteObjects(client, Bucket, Objects, signal));
      }
    },
    putWithDigest: (key, body, ContentMD5, signal) =>
      retried(`PUT ${key}`, signal, (client) =>
        putObject(client, { Bucket, Key: key, ContentMD5 }, body, signal),
      ),
    isVersioned: (signal) =>
      retried("GET versioning", signal, async (client) => {
        const found = await client.send(new GetBucketVersioningCommand({ Bucket }), {
          abortSignal: signal,
        });
        return found.Status === "Enabled";
      }),
    close: () => {
      for (const client of clients) client.destroy();
    },
  };
};

const putObject = async (
  client: S3Client,
  input: Omit<PutObjectCommandInput, "Body" | "ContentLength">,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<void> => {
  const command = new PutObjectCommand({ ...input, Body: body, ContentLength: body.length });
  // The signature covers Content-MD5, which the store checks the body against; a SHA-256 of the body
  // would cost both sides another pass over all that is stored.
  // https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
  command.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
      return next(args);
    },
    { step: "build" },
  );
  await client.send(command, { abortSignal: signal });
};

const headObject = async (
  client: S3Client,
  place: { Bucket: string; Key: string },
  signal: AbortSignal,
): Promise<ObjectInfo | null> => {
  try {
    const found = await client.send(new HeadObjectCommand(place), { abortSignal: signal });
    return { key: place.Key, bytes: found.ContentLength ?? 0 };
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
};

const getObject = async (
  client: S3Client,
  place: { Bucket: string; Key: string },
  range: ByteRange | undefined,
  signal: AbortSignal,
): Promise<Uint8Array | null> => {
  if (range?.length === 0) return new Uint8Array();
  const Range =
    range === undefined ? undefined : `bytes=${range.offset}-${range.offset + range.length - 1}`;
  try {
    const found = await client.send(
      new GetObjectCommand({ ...place, ...(Range !== undefined && { Range }) }),
      { abortSignal: signal },
    );
    const { Body, ContentLength } = found;
    return Body instanceof Readable
      ? await readBody(Body, ContentLength)
      : ((await Body?.transformToByteArray()) ?? new Uint8Array());
  } catch (error) {
    if (isAbsent(error)) return null;
    // A range that begins beyond the end: there are no bytes there.
    if ((error as { name?: string }).name === "InvalidRange") return new Uint8Array();
    throw error;
  }
};

const deleteObjects = async (
  client: S3Client,
  Bucket: string,
  Objects: { Key: string }[],
  signal: AbortSignal,
): Promise<void> => {
  const command = new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
  const { Errors } = await client.send(command, { abortSignal: signal });
  const failed = (Errors ?? []).filter(({ Code }) => Code !== "NoSuchKey");
  if (failed.length > 0) {
    throw new RetryableError(`DELETE: ${failed.length} objects remain (${failed[0]?.Code})`, {
      code: "store-delete-failed",
    });
  }
};
