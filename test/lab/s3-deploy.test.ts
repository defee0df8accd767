/**
 * A deploy and the project's bucket, end to end: first content, the inbox, the container's access,
 * and the published files, with real processes, engines and gateways.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketNotificationConfigurationCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import Docker from "dockerode";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../adapters/open-store.ts";
import type { AccessKey } from "../../adapters/s3-accounts.ts";
import { connectSqs, openQueue } from "../../adapters/sqs.ts";
import { receiveMessages } from "../../adapters/sqs-messages.ts";
import { spaceKey } from "../../adapters/store-keys.ts";
import { readConfig } from "../../functions/config.ts";
import { readJsonObject } from "../../functions/json-object.ts";
import { Space } from "../../functions/spaces/space.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { ProjectId } from "../../workflows/ids.ts";
import { appFile, openScene, type Scene } from "./deploy-scene.ts";
import { givePlatformKeys, storeKeys } from "./platform-keys.ts";
import { connectUser, requireStore, spacesEnvironment, statusOf } from "./spaces-scene.ts";

const signal = AbortSignal.timeout(290_000);
const POLL = { timeout: 60_000, interval: 250 };
const NAME = `s3-deploy-${randomBytes(3).toString("hex")}`;
let lab: Lab;
let nodeKey: AccessKey;
let scene: Scene;
let client: S3Client;
let bucket: string;

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const environment = await spacesEnvironment(lab, signal);
  const keys = await givePlatformKeys(lab, { bucket: `inst-${NAME}`, name: NAME }, signal);
  nodeKey = keys.node;
  scene = await openScene(lab, {
    ...{ name: NAME, store: "s3", queue: "elasticmq", sweepS: 1, hook: false },
    environment: {
      ...environment,
      ...storeKeys(keys.control),
      BAGAGE_COLLECTOR_ACCESS_KEY: keys.collector.accessKeyId,
      BAGAGE_COLLECTOR_SECRET_KEY: keys.collector.secretAccessKey,
    },
    nodeEnvironment: storeKeys(keys.node),
  });
  const enabled = await scene.installation.cli("s3", "enable", NAME, "--json");
  if (enabled.code !== 0) throw new Error(enabled.stderr);
  const access = JSON.parse(enabled.stdout);
  bucket = access.bucket;
  client = connectUser(access, access);
});
afterAll(async () => {
  await scene?.close();
  await lab?.stop(signal);
});

const put = (Key: string, Body: string) =>
  client.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
const list = async (Prefix: string): Promise<string[]> => {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix }));
  return Contents.map(({ Key }) => Key ?? "");
};
const read = async (Key: string): Promise<string> => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
  return (await Body?.transformToString()) ?? "";
};

const file = (tag: string, node: string, port: number): string =>
  appFile({ tag, node, port })
    .replace("    volumes:\n", "    s3: true\n    volumes:\n")
    .concat(`      publish: s3\n      from: s3://${bucket}/seed\n`);

const deploy = async (tag: string, node: string, port: number) => {
  await scene.repository.push({ Deliverous: file(tag, node, port) }, `Version ${tag}`);
  const run = await scene.installation.cli("deploy", NAME);
  if (run.code !== 0) throw new Error(`${run.stdout}${run.stderr}`);
};

/** The directory that the container on the node writes. */
const dataOn = (index: number): string => {
  const node = lab.nodes[index];
  const volume = join(node?.directory ?? "", NAME, "volumes", NAME, "mes_data");
  const live = readdirSync(volume).find((name) => /^live-e\d+$/.test(name)) ?? "";
  return join(volume, live, "data");
};

const environmentOf = async (index: number): Promise<string[]> => {
  const docker = new Docker({ socketPath: lab.nodes[index]?.dockerSocket ?? "" });
  const filters = { label: [`bagage.project=${NAME}`] };
  const [found] = await docker.listContainers({ filters });
  return (await docker.getContainer(found?.Id ?? "").inspect()).Config.Env;
};

const readSpace = async (): Promise<Space | null> => {
  const store = await openStore(readConfig(scene.installation.environment).store);
  return readJsonObject(store, spaceKey(ProjectId.parse(NAME)), Space, signal);
};

test("a new volume begins with `from` and the inbox; its container gets the bucket's access", async () => {
  await put("seed/first.txt", "from the seed");
  await put("seed/deep/er.txt", "deeper");
  await put("inbox/mes_data/one.txt", "one");
  await put("inbox/mes_data/../escape.txt", "no");
  await deploy("1", "x", 8_471);
  const data = dataOn(0);
  expect(readFileSync(join(data, "first.txt"), "utf8")).toBe("from the seed");
  expect(readFileSync(join(data, "deep", "er.txt"), "utf8")).toBe("deeper");
  expect(readFileSync(join(data, "one.txt"), "utf8")).toBe("one");
  expect(existsSync(join(data, "..", "escape.txt"))).toBe(false);
  // No snapshot has it yet: it stays where the user put it.
  expect(await list("inbox/")).toContain("inbox/mes_data/one.txt");
  const environment = Object.fromEntries(
    (await environmentOf(0)).map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
  expect(environment).toMatchObject({ AWS_S3_BUCKET: bucket, AWS_REGION: "us-east-1" });
  const inside = connectUser(
    { endpoint: environment["AWS_ENDPOINT_URL_S3"], region: "us-east-1" },
    {
      accessKeyId: environment["AWS_ACCESS_KEY_ID"],
      secretAccessKey: environment["AWS_SECRET_ACCESS_KEY"],
    },
  );
  await inside.send(new PutObjectCommand({ Bucket: bucket, Key: "by-container", Body: "x" }));
});

test("the next deploy takes what came since, once; the head is published", async () => {
  writeFileSync(join(dataOn(0), "one.txt"), "one, changed by the application");
  await put("inbox/mes_data/two.txt", "two");
  await deploy("2", "y", 8_471);
  const data = dataOn(1);
  expect(readFileSync(join(data, "one.txt"), "utf8")).toBe("one, changed by the application");
  expect(readFileSync(join(data, "two.txt"), "utf8")).toBe("two");
  expect(readFileSync(join(data, "first.txt"), "utf8")).toBe("from the seed");
  const waiting = ["inbox/mes_data/../escape.txt", "inbox/mes_data/two.txt"];
  await expect.poll(() => list("inbox/"), POLL).toEqual(waiting);
  const { head } = (await scene.state()).volumes["mes_data" as never] ?? {};
  const marker = JSON.stringify({ snapshot: head?.id, publishing: null });
  await expect.poll(() => read(".bagage/mes_data/snapshot.json"), POLL).toBe(marker);
  expect(await read("volumes/mes_data/one.txt")).toBe("one, changed by the application");
  expect(await list("volumes/mes_data/two")).toEqual([]);
  const published = await scene.state();
  expect(published.volumes["mes_data" as never]?.publication?.snapshotId).toBe(head?.id);
});

test("files are imported into the inbox, and a restore point is exported to any prefix", async () => {
  const { cli, directory } = scene.installation;
  const files = join(directory, "files");
  mkdirSync(join(files, "sub"), { recursive: true });
  writeFileSync(join(files, "sub", "imported.txt"), "imported");
  const imported = await cli("import", NAME, "mes_data", files, "--json");
  expect(JSON.parse(imported.stdout), imported.stderr).toMatchObject({ files: 1, skipped: 0 });
  expect(await read("inbox/mes_data/sub/imported.txt")).toBe("imported");
  const early = await cli("import", NAME, "not_yet", files);
  expect(early.stdout).toContain(`${NAME} has no volume not_yet yet`);
  const elsewhere = await cli("import", NAME, "mes_data", "s3://bagage-no-such-bucket/x");
  expect(elsewhere.code, elsewhere.stderr).toBe(3);
  // It would end the limit that was not named.
  expect((await cli("s3", "quota", NAME, "--objects", "5")).code).toBe(2);
  const copied = await cli("import", NAME, "mes_data", `s3://${bucket}/seed/deep`, "--json");
  expect(JSON.parse(copied.stdout), copied.stderr).toMatchObject({ files: 1 });
  const listed = await cli("inbox", "list", NAME, "mes_data", "--json");
  expect(JSON.parse(listed.stdout).map(({ name }: { name: string }) => name)).toEqual([
    "../escape.txt",
    "er.txt",
    "sub/imported.txt",
  ]);
  const taken = await cli("inbox", "take", NAME, "mes_data", "--json");
  expect(JSON.parse(taken.stdout), taken.stderr).toMatchObject({ result: "deployed" });
  expect(readFileSync(join(dataOn(1), "sub", "imported.txt"), "utf8")).toBe("imported");
  expect(readFileSync(join(dataOn(1), "er.txt"), "utf8")).toBe("deeper");
  // What was taken is in the bucket still; nothing is stopped for it once more.
  const again = await cli("inbox", "take", NAME, "mes_data", "--json");
  expect([again.code, again.stdout]).toEqual([0, "null\n"]);
  const brought = join(directory, "brought");
  const whole = await cli("export", NAME, "mes_data", brought);
  expect(whole.code, whole.stderr).toBe(0);
  expect(readFileSync(join(brought, "two.txt"), "utf8")).toBe("two");
  const exported = await cli("export", NAME, "mes_data", `s3://${bucket}/exports/one`, "--json");
  expect(JSON.parse(exported.stdout), exported.stderr).toMatchObject({ leftOut: [] });
  expect(await read("exports/one/deep/er.txt")).toBe("deeper");
  const refused = await cli("export", NAME, "mes_data", `s3://${bucket}/volumes/mes_data`);
  expect(refused.code).toBe(4);
});

test("an upload is told to the project's subscribers, and by nobody but the gateway", async () => {
  const { cli, url, environment } = scene.installation;
  const queueName = `bagage-events-${NAME}`;
  const commands = [
    ["subscribers", "add", NAME, "bus", "--queue", queueName, "--event", "object.*"],
    ["s3", "notify", NAME],
  ];
  for (const argv of commands) {
    const done = await cli(...argv);
    expect(done.code, done.stderr).toBe(0);
  }
  const { sqs } = readConfig(environment);
  const sqsClient = connectSqs({
    region: sqs.region,
    endpoint: sqs.endpoint ?? "",
    credentials: sqs.credentials ?? { accessKeyId: "", secretAccessKey: "" },
  });
  const queue = await openQueue({ client: sqsClient, queue: queueName, create: true }, signal);
  await put("inbox/mes_data/three & ü.txt", "three");
  const told = await waitUntil(
    async () => (await receiveMessages(queue, { messageCountMax: 1, waitTimeS: 5 }, signal)).at(0),
    { what: "the event", timeoutMs: 60_000 },
    signal,
  );
  expect(JSON.parse(told.Body ?? "")).toMatchObject({
    type: "bagage.object.created",
    data: { project: NAME, bucket, key: "inbox/mes_data/three & ü.txt", bytes: 5 },
  });
  const forged = await fetch(`${url}/object-events/${NAME}/${"x".repeat(32)}`, {
    method: "POST",
    body: JSON.stringify({ Records: [] }),
  });
  const nobody = await fetch(`${url}/object-events/nobody/x`, { method: "POST", body: "{}" });
  expect([forged.status, nobody.status]).toEqual([401, 401]);
  expect(await forged.json()).toEqual(await nobody.json());
  const space = await readSpace();
  expect(readFileSync(scene.installation.logFile("serve"), "utf8")).not.toContain(
    space?.notificationToken,
  );
  const ended = await cli("s3", "notify", NAME, "--off");
  expect(ended.code, ended.stderr).toBe(0);
  const owner = connectUser(requireStore(lab), {
    accessKeyId: environment["BAGAGE_PUBLISHER_ACCESS_KEY"] ?? "",
    secretAccessKey: environment["BAGAGE_PUBLISHER_SECRET_KEY"] ?? "",
  });
  const left = await owner.send(new GetBucketNotificationConfigurationCommand({ Bucket: bucket }));
  expect(left.TopicConfigurations ?? []).toEqual([]);
});

test("52: a node's key writes no record, deletes no data, and reads no webhook's secret", async () => {
  const s3 = requireStore(lab);
  const node = connectUser(s3, nodeKey);
  const Bucket = `inst-${NAME}`;
  const home = `projects/${NAME}`;
  const { Contents = [] } = await node.send(new ListObjectsV2Command({ Bucket, Prefix: home }));
  const keys = Contents.map(({ Key = "" }) => Key);
  const pack = keys.find((key) => /\/p-\d+$/.test(key)) ?? "";
  const record = keys.find((key) => key.includes("/record/")) ?? "";
  expect([pack, record].every((key) => key !== "")).toBe(true);
  const answers = await Promise.all([
    statusOf(node.send(new PutObjectCommand({ Bucket, Key: record, Body: "x" }))),
    statusOf(node.send(new PutObjectCommand({ Bucket, Key: `${home}/record-latest`, Body: "x" }))),
    statusOf(node.send(new DeleteObjectCommand({ Bucket, Key: record }))),
    statusOf(node.send(new DeleteObjectCommand({ Bucket, Key: pack }))),
    statusOf(node.send(new GetObjectCommand({ Bucket, Key: `${home}/webhook-secret.json` }))),
    statusOf(node.send(new ListObjectsV2Command({ Bucket: bucket }))),
    statusOf(node.send(new PutBucketPolicyCommand({ Bucket, Policy: "{}" }))),
  ]);
  expect(new Set(answers)).toEqual(new Set([403]));
  const deleted = await node.send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: record }, { Key: pack }] } }),
  );
  expect(deleted.Errors?.map(({ Code }) => Code)).toEqual(["AccessDenied", "AccessDenied"]);
});

test("53: the containers' secret stands in no record, label or log", async () => {
  const space = await readSpace();
  const secret = space?.container?.secretAccessKey ?? "";
  expect(secret).toHaveLength(40);
  expect(JSON.stringify(await scene.state())).not.toContain(secret);
  for (const name of ["serve", "node-x", "node-y"]) {
    const log = scene.installation.logFile(name);
    expect(statSync(log).size).toBeGreaterThan(0);
    expect(readFileSync(log, "utf8")).not.toContain(secret);
  }
  const docker = new Docker({ socketPath: lab.nodes[1]?.dockerSocket ?? "" });
  const listed = await docker.listContainers({ filters: { label: [`bagage.project=${NAME}`] } });
  expect(JSON.stringify(listed)).not.toContain(secret);
});
