/**
 * Ceph from Debian's packages on the lab's `store` host: a monitor, a manager, an OSD on a sparse
 * file, and any number of S3 gateways that share it. Everything after the start works from the
 * description alone, so that a test in another process can kill and start gateways, too.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import * as z from "zod";
import { TerminalError } from "../../volume/errors.ts";
import { gatewayUser, keyringFile, renderCephConf, renderKeyring } from "./ceph-conf.ts";
import { runDirectory } from "./claims.ts";
import { runCommand } from "./command.ts";
import { awaitDaemon, type DaemonSpec, endDaemon, startDaemon } from "./daemons.ts";
import { type LabHost, labHost } from "./network.ts";

export const S3Description = z.strictObject({
  /** The first gateway. */
  endpoint: z.string(),
  endpoints: z.array(z.string()),
  region: z.string(),
  /** Exists, unversioned, and is the access key's own. */
  bucket: z.string(),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  /** Keys of a user who may do everything in the gateway's admin interface. */
  adminAccessKeyId: z.string(),
  adminSecretAccessKey: z.string(),
  confFile: z.string(),
});
export type S3Description = z.infer<typeof S3Description>;

export interface CephSite {
  readonly id: string;
  readonly labDirectory: string;
  readonly gatewayCount: number;
}

const GATEWAY_PORT_FIRST = 8000;
const STORE_BYTES = 24 * 1024 ** 3;
const READY_TIMEOUT_MS = 120_000;
const ASK_TIMEOUT_MS = 5_000;
const REGION = "us-east-1";
const BUCKET = "bagage";
/** The lab's network ends at this machine and its store at the test's: no secret is needed. */
const USER = { uid: "bagage", accessKeyId: "bagage-lab-key", secretAccessKey: "bagage-lab-secret" };
const ADMIN = { uid: "admin", accessKeyId: "admin-lab-key", secretAccessKey: "admin-lab-secret" };
const ADMIN_CAPS = "users=*;buckets=*;metadata=*;usage=*";

/** Makes an empty cluster and resolves when every gateway serves and the bucket exists. */
export const startCeph = async (site: CephSite, signal: AbortSignal): Promise<S3Description> => {
  const host = labHost(site.id, "store");
  const confFile = await writeConf(site, host, signal);
  await startMonitor(site, confFile, signal);
  await Promise.all([startManager(site, confFile, signal), startOsd(site, confFile, signal)]);
  const indexes = Array.from({ length: site.gatewayCount }, (_, index) => index);
  const endpoints = indexes.map((index) => gatewayEndpoint(host, index));
  const s3: S3Description = {
    endpoint: gatewayEndpoint(host, 0),
    endpoints,
    region: REGION,
    bucket: BUCKET,
    accessKeyId: USER.accessKeyId,
    secretAccessKey: USER.secretAccessKey,
    adminAccessKeyId: ADMIN.accessKeyId,
    adminSecretAccessKey: ADMIN.secretAccessKey,
    confFile,
  };
  await createUser(s3, USER, [], signal);
  await createUser(s3, ADMIN, ["--caps", ADMIN_CAPS], signal);
  await Promise.all(indexes.map((index) => startGateway(site, s3, { index, signal })));
  await createBucket(s3, signal);
  return s3;
};

/** Starts a gateway that is not running and resolves when it serves. */
export const startGateway = async (
  site: Pick<CephSite, "id" | "labDirectory">,
  s3: S3Description,
  { index, signal }: { readonly index: number; readonly signal: AbortSignal },
): Promise<void> => {
  const host = labHost(site.id, "store");
  const port = GATEWAY_PORT_FIRST + index;
  // Without tcp_nodelay the gateway holds the end of small answers back for some 40 ms.
  const frontend = `beast endpoint=${host.address}:${port} tcp_nodelay=1`;
  const spec = cephDaemon(site, gatewayName(index), [
    "radosgw",
    ...["-c", s3.confFile, "-n", gatewayUser(index), "-d"],
    ...["--rgw-frontends", frontend],
  ]);
  startDaemon(spec);
  await awaitDaemon(
    spec,
    async () => (await fetch(gatewayEndpoint(host, index), { signal })).ok || undefined,
    { timeoutMs: READY_TIMEOUT_MS, signal },
  );
};

/** Kills a gateway at once, with whatever it was doing. Idempotent. */
export const killGateway = (
  labDirectory: string,
  index: number,
  signal: AbortSignal,
): Promise<void> => endDaemon({ name: gatewayName(index), labDirectory }, "SIGKILL", signal);

/** Runs radosgw-admin on the cluster: users, quotas, garbage. Resolves with standard output. */
export const radosgwAdmin = (
  s3: Pick<S3Description, "confFile">,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string> => runCommand(["radosgw-admin", "-c", s3.confFile, ...args], {}, signal);

/** Resolves with the OSD's own answer, as soon as it serves. */
export const askOsd = (
  { confFile }: Pick<S3Description, "confFile">,
  signal: AbortSignal,
): Promise<string> => {
  // The command line asks again for as long as it runs, also where nobody will ever answer.
  const patience = AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]);
  return ceph(confFile, ["tell", "osd.0", "version"], patience);
};

/** How many objects a gateway stored since it started, by its own count. */
export const countPuts = async (
  { id }: Pick<CephSite, "id">,
  index: number,
  signal: AbortSignal,
): Promise<number> => {
  const socket = join(runDirectory(id), "ceph", `${gatewayUser(index)}.asok`);
  const argv = ["ceph", "--admin-daemon", socket, "perf", "dump", "rgw"] as const;
  const counters = z.object({ rgw: z.object({ put: z.int() }) });
  return counters.parse(JSON.parse(await runCommand(argv, {}, signal))).rgw.put;
};

const writeConf = async (
  { id, labDirectory, gatewayCount }: CephSite,
  { address }: LabHost,
  signal: AbortSignal,
): Promise<string> => {
  const directory = cephDirectory(labDirectory);
  const sockets = join(runDirectory(id), "ceph");
  for (const name of ["mon", "mgr", "osd"]) mkdirSync(join(directory, name), { recursive: true });
  mkdirSync(sockets, { recursive: true });
  const key = (await runCommand(["ceph-authtool", "--gen-print-key"], {}, signal)).trim();
  writeFileSync(keyringFile(directory), renderKeyring(key, gatewayCount), { mode: 0o600 });
  const confFile = join(directory, "ceph.conf");
  const places = { address, directory, runDirectory: sockets };
  const clusterId = randomUUID();
  writeFileSync(confFile, renderCephConf({ ...places, clusterId, storeBytes: STORE_BYTES }));
  return confFile;
};

const startMonitor = async (site: CephSite, confFile: string, signal: AbortSignal) => {
  const argv = ["ceph-mon", "-c", confFile, "-i", "a"] as const;
  const keyring = keyringFile(cephDirectory(site.labDirectory));
  await runCommand([...argv, "--mkfs", "--keyring", keyring], {}, signal);
  const spec = cephDaemon(site, "ceph-mon", [...argv, "-d"]);
  startDaemon(spec);
  await awaitDaemon(spec, () => ceph(confFile, ["status"], signal), {
    timeoutMs: READY_TIMEOUT_MS,
    signal,
  });
};

const startManager = async (site: CephSite, confFile: string, signal: AbortSignal) => {
  const spec = cephDaemon(site, "ceph-mgr", ["ceph-mgr", "-c", confFile, "-i", "a", "-d"]);
  startDaemon(spec);
  await awaitStatus(spec, confFile, ["mgr", "stat"], /"available": true/, signal);
};

const startOsd = async (site: CephSite, confFile: string, signal: AbortSignal) => {
  const uuid = randomUUID();
  const number = (await ceph(confFile, ["osd", "new", uuid], signal)).trim();
  const argv = ["ceph-osd", "-c", confFile, "-i", number] as const;
  await runCommand([...argv, "--mkfs", "--osd-uuid", uuid], {}, signal);
  const spec = cephDaemon(site, "ceph-osd", [...argv, "-d"]);
  startDaemon(spec);
  await awaitStatus(spec, confFile, ["osd", "stat"], /"num_up_osds": 1/, signal);
};

const awaitStatus = (
  spec: DaemonSpec,
  confFile: string,
  question: readonly string[],
  answer: RegExp,
  signal: AbortSignal,
) =>
  awaitDaemon(
    spec,
    async () => {
      const text = await ceph(confFile, [...question, "--format", "json-pretty"], signal);
      return answer.test(text) || undefined;
    },
    { timeoutMs: READY_TIMEOUT_MS, signal },
  );

const createUser = async (
  s3: S3Description,
  { uid, accessKeyId, secretAccessKey }: typeof USER,
  options: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  const keys = ["--access-key", accessKeyId, "--secret-key", secretAccessKey];
  const args = ["user", "create", "--uid", uid, "--display-name", uid, ...keys, ...options];
  await radosgwAdmin(s3, args, signal);
};

const createBucket = async (s3: S3Description, signal: AbortSignal): Promise<void> => {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = s3;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }), { abortSignal: signal });
  } catch (cause) {
    throw new TerminalError("The lab's bucket was not made", { code: "no_bucket", cause });
  } finally {
    client.destroy();
  }
};

const cephDaemon = (
  { id, labDirectory }: Pick<CephSite, "id" | "labDirectory">,
  name: string,
  argv: readonly [string, ...string[]],
): DaemonSpec => ({ name, labDirectory, namespace: labHost(id, "store").namespace, argv });

const ceph = (confFile: string, args: readonly string[], signal: AbortSignal) =>
  runCommand(["ceph", "-c", confFile, "--connect-timeout", "10", ...args], {}, signal);

const cephDirectory = (labDirectory: string) => join(labDirectory, "ceph");

const gatewayName = (index: number) => `radosgw-${index}`;

const gatewayEndpoint = ({ address }: LabHost, index: number) =>
  `http://${address}:${GATEWAY_PORT_FIRST + index}`;
