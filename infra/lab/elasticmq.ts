/**
 * ElasticMQ on the lab's `queue` host: the SQS-speaking broker that an installation of one's own
 * uses. Maven resolves it once into `.lab/elasticmq`; queues are made by whoever needs them.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { runCommand } from "./command.ts";
import { awaitDaemon, type DaemonSpec, startDaemon } from "./daemons.ts";
import { labHost } from "./network.ts";

export const SqsDescription = z.strictObject({
  endpoint: z.string(),
  region: z.string(),
  /** ElasticMQ checks none, but a client has to have some. */
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
});
export type SqsDescription = z.infer<typeof SqsDescription>;

export interface ElasticMqSite {
  readonly id: string;
  readonly labDirectory: string;
  /** What fetchElasticMq resolved to. */
  readonly jarDirectory: string;
}

/** As operators have them. */
const POM = fileURLToPath(new URL("../elasticmq/pom.xml", import.meta.url));
const CONFIGURATION = fileURLToPath(new URL("../elasticmq/elasticmq.conf", import.meta.url));
const PORT = 9324;
const REGION = "us-east-1";
const READY_TIMEOUT_MS = 60_000;

/** Resolves with a directory that holds ElasticMQ's jars; fetches them when there is none. */
export const fetchElasticMq = async (
  labsDirectory: string,
  signal: AbortSignal,
): Promise<string> => {
  const parent = join(labsDirectory, "elasticmq");
  const version = /<artifactId>elasticmq.*\s*<version>(.+)<\/version>/.exec(
    readFileSync(POM, "utf8"),
  );
  const jarDirectory = join(parent, version?.[1] ?? "unknown");
  if (existsSync(jarDirectory)) return jarDirectory;
  mkdirSync(parent, { recursive: true });
  const work = mkdtempSync(join(parent, "fetch-"));
  try {
    copyFileSync(POM, join(work, "pom.xml"));
    const output = join(work, "jars");
    const goal = "dependency:copy-dependencies";
    const argv = ["mvn", "--batch-mode", "--quiet", goal, `-DoutputDirectory=${output}`] as const;
    await runCommand([...argv, "-DincludeScope=runtime"], { cwd: work }, signal);
    if (!existsSync(jarDirectory)) renameSync(output, jarDirectory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return jarDirectory;
};

/** Starts the broker, without queues, and resolves when it answers. */
export const startElasticMq = async (
  { id, labDirectory, jarDirectory }: ElasticMqSite,
  signal: AbortSignal,
): Promise<SqsDescription> => {
  const { namespace, address } = labHost(id, "queue");
  const spec: DaemonSpec = {
    name: "elasticmq",
    namespace,
    labDirectory,
    argv: [
      "java",
      ...["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
      ...[`-Dconfig.file=${CONFIGURATION}`, `-Dnode-address.host=${address}`],
      ...["-cp", join(jarDirectory, "*"), "org.elasticmq.server.Main"],
    ],
  };
  startDaemon(spec);
  const endpoint = await awaitElasticMq(spec, id, signal);
  return { endpoint, region: REGION, accessKeyId: "any", secretAccessKey: "any" };
};

/** Resolves with the endpoint at which the started broker answers. */
export const awaitElasticMq = async (
  spec: DaemonSpec,
  labId: string,
  signal: AbortSignal,
): Promise<string> => {
  const endpoint = `http://${labHost(labId, "queue").address}:${PORT}`;
  const answers = async () =>
    (await fetch(`${endpoint}/?Action=ListQueues`, { signal })).ok || undefined;
  await awaitDaemon(spec, answers, { timeoutMs: READY_TIMEOUT_MS, signal });
  return endpoint;
};
