/**
 * The settings of every process, read once at its start. Each has one environment variable; those
 * that hold secrets may be given as `<NAME>_FILE`, the path of a file with the value.
 */
import { hostname } from "node:os";
import * as z from "zod";
import type { CaddySettings } from "../adapters/caddy-config.ts";
import type { FiledKeyPair, KeyFiles } from "../adapters/live-keys.ts";
import type { StoreConfig } from "../adapters/open-store.ts";
import type { TraceSettings } from "../adapters/tracing/open-traces.ts";
import { parseSize } from "../workflows/deliverous/quantities.ts";
import { NodeId } from "../workflows/ids.ts";
import { explainSettings, wholeNumber } from "./explain-settings.ts";
import { QUEUE_PREFIX } from "./messages.ts";
import { parseWrappingKeys, type WrappingKeys } from "./project-keys.ts";
import { ConfigError, fileOf, keyFilesOf, refuseHalfPairs, withFiles } from "./setting-files.ts";
import { TraceEnvironment, traceSettings } from "./trace-settings.ts";

const list = z.string().transform((text) =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);

const labels = list.transform((items) =>
  Object.fromEntries(
    items.map((item) => {
      const at = item.indexOf("=");
      return at < 0 ? [item, ""] : [item.slice(0, at), item.slice(at + 1)];
    }),
  ),
);

const size = z.string().transform((text, context) => {
  const parsed = parseSize(text);
  if (parsed.ok) return parsed.value;
  context.addIssue("a number and a unit, or bytes: 20GB, 512m, 0");
  return z.NEVER;
});

const ownName = (): NodeId =>
  NodeId.parse(
    hostname()
      .toLowerCase()
      .replaceAll(/[^a-z0-9.-]/g, "-"),
  );

const Environment = z.object({
  /** `file:/path` or `s3://bucket`. All state is there; two installations never share one. */
  BAGAGE_STORE: z.string().default("file:/var/lib/bagage/store"),
  /** Gateways of the S3 store, by comma; the next one is used when one does not answer. */
  BAGAGE_S3_ENDPOINT: list.pipe(z.array(z.url())).default([]),
  BAGAGE_S3_REGION: z.string().default("us-east-1"),
  BAGAGE_S3_ACCESS_KEY: z.string().default(""),
  BAGAGE_S3_SECRET_KEY: z.string().default(""),
  /**
   * Who keeps the store's users, for projects' S3 access: Ceph's gateway, or AWS's IAM; with IAM and
   * no key below, the process's own AWS credentials manage them.
   */
  BAGAGE_S3_ACCOUNTS: z.enum(["rgw", "iam"]).default("rgw"),
  /** Manages the store's users; needs no right to any data. */
  BAGAGE_S3_ADMIN_ACCESS_KEY: z.string().default(""),
  BAGAGE_S3_ADMIN_SECRET_KEY: z.string().default(""),
  /** Deletes what no restore point needs; unset: the store's own key does. */
  BAGAGE_COLLECTOR_ACCESS_KEY: z.string().default(""),
  BAGAGE_COLLECTOR_SECRET_KEY: z.string().default(""),
  /** Owns the projects' buckets and writes published volumes; another user than the store's. */
  BAGAGE_PUBLISHER_ACCESS_KEY: z.string().default(""),
  BAGAGE_PUBLISHER_SECRET_KEY: z.string().default(""),
  /** The store's S3 as users and containers reach it; default: the first of BAGAGE_S3_ENDPOINT. */
  BAGAGE_SPACES_ENDPOINT: z.url().optional(),
  /** Where the store's gateways reach `serve`, for notifications of uploads; default: BAGAGE_LISTEN. */
  BAGAGE_NOTIFY_URL: z.url().optional(),
  /** On AWS, the ARN of the queue that buckets tell of uploads instead. */
  BAGAGE_NOTIFY_QUEUE: z.string().startsWith("arn:").optional(),
  /** Before a project's name in its bucket's and its user's; one for each installation on a store. */
  BAGAGE_SPACES_PREFIX: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,19}$/, "1 to 20 of a-z 0-9 -")
    .default("bagage-"),
  /** An SQS-speaking broker of one's own; unset: AWS itself. `bagage up` brings its own. */
  BAGAGE_SQS_ENDPOINT: z.url().optional(),
  /** How this installation's queues are named; one for each installation on a broker. */
  BAGAGE_QUEUE_PREFIX: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,29}$/, "1 to 30 of a-z 0-9 -")
    .default(QUEUE_PREFIX),
  BAGAGE_SQS_REGION: z.string().default("us-east-1"),
  BAGAGE_SQS_ACCESS_KEY: z.string().default(""),
  BAGAGE_SQS_SECRET_KEY: z.string().default(""),
  /** Where webhooks and the API are received; host:port. */
  BAGAGE_LISTEN: z
    .string()
    .regex(/^.+:\d+$/, "host:port")
    .default("127.0.0.1:7480"),
  /** This node's name; must not change while it holds data. */
  BAGAGE_NODE: NodeId.default(ownName),
  /** Volumes, fences and caches; one file system, with room for the volumes twice. */
  BAGAGE_NODE_ROOT: z.string().startsWith("/").default("/var/lib/bagage/node"),
  /** Where clients reach this node's published ports. */
  BAGAGE_NODE_ADDRESS: z.string().default("127.0.0.1"),
  /** Where the node answers /health, /ready and /metrics; unset: nowhere. */
  BAGAGE_NODE_LISTEN: z
    .string()
    .regex(/^.+:\d+$/, "host:port")
    .optional(),
  /** Address that published ports are opened on; 0.0.0.0: all. */
  BAGAGE_NODE_BIND: z.string().default("0.0.0.0"),
  /** Where edges reach this node's containers, on the same address; firewalls keep others away. */
  BAGAGE_NODE_DOOR_PORT: wholeNumber(1, 65_535).default(7_482),
  /** The most that warm copies of volumes may take on this node: 20GB, or a count of bytes. */
  BAGAGE_CACHE_BUDGET: size.optional(),
  /** key=value by comma, for placement constraints. */
  BAGAGE_NODE_LABELS: labels.default({}),
  /**
   * Seconds that this node's lease holds without a renewal. Shorter: volumes with
   * `on_node_loss: restore` go on sooner elsewhere, and an outage of the store stops them sooner.
   */
  BAGAGE_LEASE_S: wholeNumber(3, 600).default(30),
  /** `agent`: the agent starts its guard; `service`: `bagage guard` runs beside it, as in a container. */
  BAGAGE_NODE_GUARD: z.enum(["agent", "service"]).default("agent"),
  BAGAGE_DOCKER_SOCKET: z.string().startsWith("/").default("/var/run/docker.sock"),
  /** Repositories by path or file://: only for an operator who trusts all who add projects. */
  BAGAGE_ALLOW_LOCAL_REPOSITORIES: z.stringbool().default(false),
  /** Repositories on private, loopback and link-local addresses. */
  BAGAGE_ALLOW_PRIVATE_NETWORKS: z.stringbool().default(false),
  /** Wraps the keys of projects whose data are sealed; several by comma: the first wraps, all unwrap. */
  BAGAGE_KEY: z
    .string()
    .default("")
    .transform((text, context) => {
      const keys = parseWrappingKeys(text);
      if (keys !== null) return keys;
      context.addIssue("32 bytes in base64 or hex, several by comma; see `bagage key generate`");
      return z.NEVER;
    }),
  /** This edge's name; two edges never share one. */
  BAGAGE_EDGE: NodeId.default(ownName),
  /** Address that the edge opens TCP ports on; 0.0.0.0: all. */
  BAGAGE_EDGE_BIND: z.string().default("0.0.0.0"),
  BAGAGE_EDGE_HTTP_PORT: wholeNumber(1, 65_535).default(80),
  BAGAGE_EDGE_HTTPS_PORT: wholeNumber(1, 65_535).default(443),
  /** `auto`: public certificates; `internal`: of Caddy's own authority; `off`: no HTTPS. */
  BAGAGE_EDGE_TLS: z.enum(["auto", "internal", "off"]).default("auto"),
  /** Where Caddy finds the edge's sockets. */
  BAGAGE_EDGE_ROOT: z.string().startsWith("/").default("/run/bagage-edge"),
  BAGAGE_CADDY_ADMIN: z
    .string()
    .regex(/^(?:http:\/\/.+|unix:\/.+)$/, "http://host:port or unix:/path")
    .default("http://127.0.0.1:2019"),
  BAGAGE_LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error"]).default("info"),
  ...TraceEnvironment.shape,
  /** Seconds between two sweeps: the delay that a lost message costs. */
  BAGAGE_SWEEP_S: wholeNumber(1, 3_600).default(15),
});

const pair = (
  accessKeyId: string,
  secretAccessKey: string,
  keyFiles: KeyFiles | undefined,
): FiledKeyPair | null =>
  accessKeyId === "" || secretAccessKey === "" ? null : { accessKeyId, secretAccessKey, keyFiles };

interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const splitAddress = (address: string): ListenAddress => {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
};

export interface Config {
  readonly store: StoreConfig;
  /** The store with the collector's key, where it has its own. */
  readonly collector: StoreConfig | null;
  readonly spaces: {
    readonly endpoint: string;
    readonly prefix: string;
    readonly notifyUrl: string;
    readonly notifyQueue: string | null;
    readonly accounts: "rgw" | "iam";
    readonly admin: FiledKeyPair | null;
    readonly publisher: FiledKeyPair | null;
  };
  readonly sqs: {
    readonly endpoint: string | undefined;
    readonly region: string;
    readonly credentials: FiledKeyPair | null;
    readonly queuePrefix: string;
  };
  readonly listen: ListenAddress;
  readonly node: {
    readonly id: NodeId;
    readonly root: string;
    readonly address: string;
    readonly listen: ListenAddress | null;
    readonly bind: string;
    readonly doorPort: number;
    readonly labels: Readonly<Record<string, string>>;
    readonly dockerSocket: string;
    readonly leaseMs: number;
    readonly guard: "agent" | "service";
    readonly cacheBudgetBytes: number | null;
  };
  readonly edge: {
    readonly id: NodeId;
    readonly bind: string;
    readonly caddy: CaddySettings;
    readonly caddyAdmin: string;
    readonly root: string;
  };
  readonly git: {
    readonly allowLocalRepositories: boolean;
    readonly allowPrivateNetworks: boolean;
  };
  readonly wrappingKeys: WrappingKeys;
  /** Where they stand, and their successors will; null: not in a file. */
  readonly wrappingKeyFile: string | null;
  readonly logLevel: string;
  readonly traces: TraceSettings;
  readonly sweepMs: number;
}

const AWS_S3_ENDPOINT = "https://s3.amazonaws.com";

export const readConfig = (environment: Readonly<Record<string, string | undefined>>): Config => {
  const values = withFiles(environment);
  refuseHalfPairs(values);
  const parsed = Environment.safeParse(values);
  if (!parsed.success) throw new ConfigError(explainSettings(parsed.error, values));
  const e = parsed.data;
  const place = {
    url: e.BAGAGE_STORE,
    endpoints: e.BAGAGE_S3_ENDPOINT,
    region: e.BAGAGE_S3_REGION,
  };
  const filedPair = (prefix: "S3_ADMIN" | "COLLECTOR" | "PUBLISHER" | "SQS"): FiledKeyPair | null =>
    pair(
      e[`BAGAGE_${prefix}_ACCESS_KEY`],
      e[`BAGAGE_${prefix}_SECRET_KEY`],
      keyFilesOf(environment, `BAGAGE_${prefix}`),
    );
  const collector = filedPair("COLLECTOR");
  return {
    store: {
      ...place,
      accessKeyId: e.BAGAGE_S3_ACCESS_KEY,
      secretAccessKey: e.BAGAGE_S3_SECRET_KEY,
      keyFiles: keyFilesOf(environment, "BAGAGE_S3"),
    },
    collector: collector === null ? null : { ...place, ...collector },
    spaces: {
      endpoint: e.BAGAGE_SPACES_ENDPOINT ?? e.BAGAGE_S3_ENDPOINT[0] ?? AWS_S3_ENDPOINT,
      prefix: e.BAGAGE_SPACES_PREFIX,
      notifyUrl: e.BAGAGE_NOTIFY_URL ?? `http://${e.BAGAGE_LISTEN}`,
      notifyQueue: e.BAGAGE_NOTIFY_QUEUE ?? null,
      accounts: e.BAGAGE_S3_ACCOUNTS,
      admin: filedPair("S3_ADMIN"),
      publisher: filedPair("PUBLISHER"),
    },
    sqs: {
      endpoint: e.BAGAGE_SQS_ENDPOINT,
      region: e.BAGAGE_SQS_REGION,
      credentials: filedPair("SQS"),
      queuePrefix: e.BAGAGE_QUEUE_PREFIX,
    },
    listen: splitAddress(e.BAGAGE_LISTEN),
    node: {
      id: e.BAGAGE_NODE,
      root: e.BAGAGE_NODE_ROOT,
      address: e.BAGAGE_NODE_ADDRESS,
      listen: e.BAGAGE_NODE_LISTEN === undefined ? null : splitAddress(e.BAGAGE_NODE_LISTEN),
      bind: e.BAGAGE_NODE_BIND,
      doorPort: e.BAGAGE_NODE_DOOR_PORT,
      labels: e.BAGAGE_NODE_LABELS,
      dockerSocket: e.BAGAGE_DOCKER_SOCKET,
      leaseMs: e.BAGAGE_LEASE_S * 1_000,
      guard: e.BAGAGE_NODE_GUARD,
      cacheBudgetBytes: e.BAGAGE_CACHE_BUDGET ?? null,
    },
    edge: {
      id: e.BAGAGE_EDGE,
      bind: e.BAGAGE_EDGE_BIND,
      caddy: {
        httpPort: e.BAGAGE_EDGE_HTTP_PORT,
        httpsPort: e.BAGAGE_EDGE_HTTPS_PORT,
        tls: e.BAGAGE_EDGE_TLS,
      },
      caddyAdmin: e.BAGAGE_CADDY_ADMIN,
      root: e.BAGAGE_EDGE_ROOT,
    },
    git: {
      allowLocalRepositories: e.BAGAGE_ALLOW_LOCAL_REPOSITORIES,
      allowPrivateNetworks: e.BAGAGE_ALLOW_PRIVATE_NETWORKS,
    },
    wrappingKeys: e.BAGAGE_KEY,
    wrappingKeyFile: fileOf(environment, "BAGAGE_KEY"),
    logLevel: e.BAGAGE_LOG_LEVEL,
    traces: traceSettings(e),
    sweepMs: e.BAGAGE_SWEEP_S * 1_000,
  };
};
