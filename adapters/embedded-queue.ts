/**
 * An SQS server inside this process, for one machine. Queues and messages survive a restart when a
 * directory is given; when they are lost, the sweep sends again what is outstanding. Put together
 * here from the package's parts, because its own start listens on every address of the machine.
 */
import { mkdir } from "node:fs/promises";
import { type BuildAppOptions, buildApp } from "fauxqs";
import { TerminalError } from "../volume/errors.ts";
import type { SqsSettings } from "./sqs.ts";

export interface EmbeddedQueueOptions {
  /** Default: loopback. The server checks no credentials: whoever reaches it may do anything. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  readonly dataDirectory?: string;
}

/** The settings that connectSqs takes, and the end of the server. */
export interface EmbeddedQueue extends Required<Omit<SqsSettings, "liveKeys" | "onCall">> {
  stop(): Promise<void>;
}

const REGION = "us-east-1";
const LOOPBACK = "127.0.0.1";
const SQS_CONTENT_TYPE = "application/x-amz-json-1.0";

/** Code `queue-port-taken` when something else listens there. */
export const startEmbeddedQueue = async (options: EmbeddedQueueOptions): Promise<EmbeddedQueue> => {
  const { host = LOOPBACK, port = 0, dataDirectory } = options;
  const persisted = dataDirectory === undefined ? null : await openStores(dataDirectory);
  const app = buildApp({
    logger: false,
    defaultRegion: REGION,
    ...(persisted === null ? {} : { stores: persisted.stores }),
  });
  // The package also speaks SNS and S3; nobody here is to find that out.
  app.addHook("onRequest", async (request, reply) => {
    if (request.headers["content-type"] !== SQS_CONTENT_TYPE) return reply.code(404).send();
  });
  if (persisted !== null) app.addHook("preClose", async () => persisted.close());
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new TerminalError(`port ${port} of ${host} is taken`, {
      code: "queue-port-taken",
      hint: `ss -ltnp 'sport = :${port}' tells by what; choose another port for the queue`,
      cause: error,
    });
  }
  const address = app.server.address();
  const listening = typeof address === "object" && address !== null ? address.port : port;
  return {
    endpoint: `http://${host.includes(":") ? `[${host}]` : host}:${listening}`,
    region: REGION,
    credentials: { accessKeyId: "embedded", secretAccessKey: "embedded" },
    stop: () => app.close(),
  };
};

type Stores = NonNullable<BuildAppOptions["stores"]>;

/** Modules of the package that it does not export; its version is pinned, and a test restarts it. */
interface Internals {
  readonly PersistenceManager: new (
    directory: string,
  ) => {
    load(sqs: Stores["sqsStore"], sns: Stores["snsStore"], s3: Stores["s3Store"]): void;
    close(): void;
  };
  readonly SqsStore: new () => Stores["sqsStore"];
  readonly SnsStore: new () => Stores["snsStore"];
  readonly S3Store: new () => Stores["s3Store"];
}

const loadInternals = async (): Promise<Internals> => {
  const root = import.meta.resolve("fauxqs");
  const paths = ["persistence.js", "sqs/sqsStore.js", "sns/snsStore.js", "s3/s3Store.js"];
  const modules = await Promise.all(paths.map((path) => import(new URL(path, root).href)));
  return Object.assign({}, ...modules);
};

const openStores = async (directory: string) => {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { PersistenceManager, SqsStore, SnsStore, S3Store } = await loadInternals();
  const persistence = new PersistenceManager(directory);
  const stores = { sqsStore: new SqsStore(), snsStore: new SnsStore(), s3Store: new S3Store() };
  persistence.load(stores.sqsStore, stores.snsStore, stores.s3Store);
  // Only now, or loading would write what it reads.
  Object.assign(stores.sqsStore, { persistence });
  for (const queue of stores.sqsStore.allQueues()) Object.assign(queue, { persistence });
  return { stores, close: () => persistence.close() };
};
