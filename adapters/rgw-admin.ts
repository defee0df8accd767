/**
 * Users, keys and quotas of Ceph's gateway, by its Admin Ops API:
 * https://docs.ceph.com/en/pacific/radosgw/adminops/. The key used here needs the capabilities
 * `users=*` and `buckets=*`, and no bucket.
 */
import * as z from "zod";
import { RetryableError, TerminalError } from "../volume/errors.ts";
import type { KeyPair, LiveKeys } from "./live-keys.ts";
import type { S3Accounts, SpaceQuota } from "./s3-accounts.ts";
import { type SignedFetch, signedFetch } from "./signed-fetch.ts";

export interface RgwAdminOptions extends KeyPair {
  /** Gateways of the same store; the next one is asked when one does not answer. */
  readonly endpoints: readonly string[];
  readonly region: string;
  /** Asked with each request, in place of the pair. */
  readonly liveKeys?: LiveKeys | undefined;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** radosgw's word for "may make no buckets"; 0 would be "as many as it likes". */
const NO_BUCKETS = -1;
const UNLIMITED = -1;
const BYTES_PER_KIB = 1_024;
/** Named after its only purpose: `<user>:swift`. */
const SWIFT_SUBUSER = "swift";

const Keys = z.array(z.object({ access_key: z.string(), secret_key: z.string() }));
const User = z.object({
  keys: Keys,
  swift_keys: z.array(z.object({ user: z.string(), secret_key: z.string() })),
});
const Bucket = z.object({ owner: z.string() });

type Query = Readonly<Record<string, string | number>>;

interface Call {
  readonly method: "GET" | "PUT" | "DELETE";
  readonly resource: "user" | "bucket";
  /** The sub-resource: `key`, `quota`. */
  readonly sub?: string;
  readonly query: Query;
  readonly body?: unknown;
}

export const openRgwAdmin = (options: RgwAdminOptions): S3Accounts => {
  const { endpoints, ...signer } = options;
  const call = createCall(signedFetch({ ...signer, service: "s3" }), endpoints);
  const readUser = async (uid: string, signal: AbortSignal) =>
    User.parse(await call({ method: "GET", resource: "user", query: { uid } }, signal));
  return {
    policies: {
      kind: "bucket",
      principalOf: (uid) => `arn:aws:iam:::user/${uid}`,
      ownerOf: async (bucket, signal) =>
        Bucket.parse(await call({ method: "GET", resource: "bucket", query: { bucket } }, signal))
          .owner,
    },
    bucketLocation: null,
    ensureUser: async (uid, signal) => {
      const query = { uid, "display-name": uid, "generate-key": "false" };
      const limited = { ...query, "max-buckets": NO_BUCKETS };
      await call({ method: "PUT", resource: "user", query: limited }, signal).catch(ifTaken);
    },
    createKey: async (uid, _holder, signal) => {
      const before = new Set((await readUser(uid, signal)).keys.map((key) => key.access_key));
      // The gateway makes the key: one of ours would stand in its access log.
      const query = { uid, "key-type": "s3", "generate-key": "true" };
      await call({ method: "PUT", resource: "user", sub: "key", query }, signal);
      const made = (await readUser(uid, signal)).keys.find((key) => !before.has(key.access_key));
      if (made === undefined) throw noKey(uid);
      return { accessKeyId: made.access_key, secretAccessKey: made.secret_key };
    },
    listKeys: async (uid, signal) =>
      (await readUser(uid, signal)).keys.map((key) => key.access_key),
    removeKey: async (uid, key, signal) => {
      const query = { uid, "key-type": "s3", "access-key": key };
      await call({ method: "DELETE", resource: "user", sub: "key", query }, signal).catch(ifGone);
    },
    setQuota: async (bucket, quota, signal) => {
      const found = await call({ method: "GET", resource: "bucket", query: { bucket } }, signal);
      const query = { bucket, uid: Bucket.parse(found).owner };
      const body = renderQuota(quota);
      await call({ method: "PUT", resource: "bucket", sub: "quota", query, body }, signal);
    },
    replaceSwiftKey: async (uid, signal) => {
      const swiftUser = `${uid}:${SWIFT_SUBUSER}`;
      const subuser = { uid, subuser: swiftUser };
      const rights = { ...subuser, access: "full", "key-type": "swift" };
      // The parameter is the sub-resource: naming it twice would be signed otherwise than it is read.
      await call({ method: "PUT", resource: "user", query: rights }, signal).catch(ifTaken);
      const query = { ...subuser, "key-type": "swift", "generate-key": "true" };
      await call({ method: "PUT", resource: "user", sub: "key", query }, signal);
      const { swift_keys } = await readUser(uid, signal);
      const made = swift_keys.find(({ user }) => user === swiftUser);
      if (made === undefined) throw noKey(uid);
      return { swiftUser, secretKey: made.secret_key };
    },
  };
};

const renderQuota = ({ bytes, objects }: SpaceQuota) => ({
  enabled: bytes !== null || objects !== null,
  max_size_kb: bytes === null ? UNLIMITED : Math.ceil(bytes / BYTES_PER_KIB),
  max_objects: objects ?? UNLIMITED,
});

const noKey = (uid: string): RetryableError =>
  new RetryableError(`the gateway made no key for ${uid}`, { code: "accounts-no-key" });

const createCall =
  (signed: SignedFetch, endpoints: readonly string[]) =>
  async (request: Call, signal: AbortSignal): Promise<unknown> => {
    let last: unknown;
    for (const endpoint of endpoints) {
      try {
        return await ask(signed, endpoint, request, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof RetryableError)) throw error;
        last = error;
      }
    }
    throw last;
  };

const ask = async (
  signed: SignedFetch,
  endpoint: string,
  { method, resource, sub, query, body }: Call,
  signal: AbortSignal,
): Promise<unknown> => {
  const search = new URLSearchParams({ format: "json" });
  for (const [name, value] of Object.entries(query)) search.set(name, String(value));
  const selected = sub === undefined ? "" : `${sub}&`;
  const url = new URL(`/admin/${resource}?${selected}${search}`, endpoint);
  const what = `accounts: ${method} ${resource}${sub === undefined ? "" : ` ${sub}`}`;
  const { ok, status, text } = await signed(url.href, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
  }).catch((cause: unknown) => {
    throw new RetryableError(`${what}: no answer`, { code: "accounts-unavailable", cause });
  });
  if (ok) return text === "" ? null : JSON.parse(text);
  const provider = /"Code":"(\w+)"/.exec(text)?.[1] ?? String(status);
  throw translate(what, status, provider);
};

const translate = (what: string, status: number, provider: string): Error => {
  const message = `${what}: ${provider}`;
  const data = { provider };
  if (status >= 500 || status === 429) {
    return new RetryableError(message, { code: "accounts-unavailable", data });
  }
  const hint = "check the administrator's key; radosgw-admin caps add --caps 'users=*;buckets=*'";
  return status === 403
    ? new TerminalError(message, { code: "accounts-denied", hint, data })
    : new TerminalError(message, { code: "accounts-refused", data });
};

const providerOf = (error: unknown): unknown =>
  error instanceof TerminalError ? error.data["provider"] : undefined;

const ifTaken = (error: unknown): void => {
  const taken = ["UserAlreadyExists", "SubuserExists", "SubUserExists"];
  if (!taken.includes(String(providerOf(error)))) throw error;
};

const ifGone = (error: unknown): void => {
  const gone = ["InvalidAccessKey", "InvalidAccessKeyId", "NoSuchKey", "NoSuchUser"];
  if (!gone.includes(String(providerOf(error)))) throw error;
};
