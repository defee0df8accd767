/**
 * ElasticMQ on the lab's `queue` host: the SQS-speaking broker that an installation of one's own
 * uses. Maven resolves it once into `.lab/elasticmq`; queues are made by whoever needs them.
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

const ELASTICMQ_VERSION = "1.6.14";
const DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";
const PORT = 9324;
const REGION = "us-east-1";
const READY_TIMEOUT_MS = 60_000;

/** Resolves with a directory that holds ElasticMQ's jars; fetches them when there is none. */
export const fetchElasticMq = async (
  labsDirectory: string,
  signal: AbortSignal,
): Promise<string> => {
  const parent = join(labsDirectory, "elasticmq");
  const jarDirectory = join(parent, ELASTICMQ_VERSION);
  if (existsSync(jarDirectory)) return jarDirectory;
  mkdirSync(parent, { recursive: true });
  const work = mkdtempSync(join(parent, "fetch-"));
  try {
    writeFileSync(join(work, "pom.xml"), POM);
    const output = join(work, "jars");
    const goal = `${DEPENDENCY_PLUGIN}:copy-dependencies`;
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
  const confFile = join(labDirectory, "elasticmq.conf");
  writeFileSync(confFile, renderConf(address));
  const spec: DaemonSpec = {
    name: "elasticmq",
    namespace,
    labDirectory,
    argv: [
      "java",
      ...["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
      `-Dconfig.file=${confFile}`,
      ...["-cp", join(jarDirectory, "*"), "org.elasticmq.server.Main"],
    ],
  };
  startDaemon(spec);
  const endpoint = `http://${address}:${PORT}`;
  await awaitDaemon(
    spec,
    async () => (await fetch(`${endpoint}/?Action=ListQueues`, { signal })).ok || undefined,
    { timeoutMs: READY_TIMEOUT_MS, signal },
  );
  return { endpoint, region: REGION, accessKeyId: "any", secretAccessKey: "any" };
};

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bagage</groupId>
  <artifactId>lab</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.elasticmq</groupId>
      <artifactId>elasticmq-server_2.13</artifactId>
      <version>${ELASTICMQ_VERSION}</version>
    </dependency>
  </dependencies>
</project>
`;

/** Strict limits: what AWS refuses (ten messages a batch, 256 KiB each) is refused here, too. */
const renderConf = (address: string): string => `include classpath("application.conf")
node-address { protocol = http, host = "${address}", port = ${PORT}, context-path = "" }
rest-sqs {
  enabled = true
  bind-hostname = "${address}"
  bind-port = ${PORT}
  sqs-limits = strict
}
rest-stats.enabled = false
aws { region = "${REGION}", accountId = "000000000000" }
queues {}
`;
