/** The lab's parts are what the other tests take them for, and a lab leaves nothing behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { identifyProcess } from "../../adapters/process-identity.ts";
import { cgroupPids } from "../../infra/lab/cgroups.ts";
import { type Claim, listClaims, runDirectory } from "../../infra/lab/claims.ts";
import { runCommand } from "../../infra/lab/command.ts";
import type { Lab, LabStore } from "../../infra/lab/connect-lab.ts";
import { LAB_IMAGES } from "../../infra/lab/images.ts";
import { attachLab, attachOrStartLab, descriptionFile, FULL_LAB } from "../../infra/lab/lab.ts";
import { labNamespaces } from "../../infra/lab/network.ts";
import { labPids, mountsBelow, removeDeadLabs } from "../../infra/lab/remove-lab.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";

const WAIT_MS = 60_000;
const NO_PARTS = { engines: 0, gateways: 0, elasticmq: false };
const signal = AbortSignal.timeout(600_000);
let lab: Lab;

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
});
afterAll(() => lab.stop(signal));

const waitForPage = (url: string): Promise<Response> =>
  waitUntil(() => fetch(url, { signal }), { what: `${url} answers`, timeoutMs: WAIT_MS }, signal);

describe("the store", () => {
  const connect = ({ endpoints, region, accessKeyId, secretAccessKey }: LabStore) =>
    endpoints.map(
      (endpoint) =>
        new S3Client({
          endpoint,
          region,
          forcePathStyle: true,
          credentials: { accessKeyId, secretAccessKey },
        }),
    );

  test("of many conditional creates through two gateways, one wins", async () => {
    const { s3 } = lab;
    if (s3 === undefined) throw new Error("the lab has no store");
    const clients = connect(s3);
    const Key = `smoke/${crypto.randomUUID()}`;
    const put = (client: S3Client, n: number) =>
      client.send(
        new PutObjectCommand({ Bucket: s3.bucket, Key, Body: `writer ${n}`, IfNoneMatch: "*" }),
      );
    const attempts = Array.from({ length: 8 }, (_, n) => n).flatMap((n) =>
      clients.map((client, index) => put(client, n * clients.length + index)),
    );
    const outcomes = await Promise.allSettled(attempts);
    const winners = outcomes.flatMap(({ status }, n) => (status === "fulfilled" ? [n] : []));
    const refusals = outcomes.flatMap((outcome) =>
      outcome.status === "rejected" ? [outcome.reason.$metadata?.httpStatusCode] : [],
    );
    expect(winners).toHaveLength(1);
    // 409 is S3's word for two conditional writes at the same moment.
    expect(refusals.every((status) => status === 412 || status === 409)).toBe(true);
    for (const client of clients) {
      const read = await client.send(new GetObjectCommand({ Bucket: s3.bucket, Key }));
      expect(await read.Body?.transformToString()).toBe(`writer ${winners[0]}`);
    }
    await clients[0]?.send(new DeleteObjectCommand({ Bucket: s3.bucket, Key }));
    for (const client of clients) client.destroy();
  });

  test("a gateway can be killed and started again while the other serves", async () => {
    const { s3 } = lab;
    if (s3 === undefined) throw new Error("the lab has no store");
    const [first, second] = s3.endpoints;
    await s3.killGateway(1, signal);
    await expect(fetch(`${second}`)).rejects.toThrow();
    expect((await fetch(`${first}`)).status).toBe(200);
    await s3.startGateway(1, signal);
    expect((await fetch(`${second}`)).status).toBe(200);
  });
});

describe("the nodes", () => {
  const runDemo = async (index: number): Promise<{ page: unknown; remove(): Promise<void> }> => {
    const node = lab.nodes[index];
    if (node === undefined) throw new Error(`the lab has no node ${index}`);
    const port = String(18_000 + index);
    const container = await new Docker({ socketPath: node.dockerSocket }).createContainer({
      Image: "bagage-demo:2",
      Hostname: node.name,
      ExposedPorts: { "8080/tcp": {} },
      HostConfig: { PortBindings: { "8080/tcp": [{ HostPort: port }] } },
    });
    await container.start();
    const page = await (await waitForPage(`http://${node.address}:${port}/`)).json();
    return { page, remove: () => container.remove({ force: true }) };
  };

  test("hold the lab's images", async () => {
    for (const { dockerSocket } of lab.nodes) {
      const images = await new Docker({ socketPath: dockerSocket }).listImages();
      expect(images.flatMap(({ RepoTags }) => RepoTags ?? [])).toEqual(
        expect.arrayContaining(LAB_IMAGES),
      );
    }
  });

  test("run a container each, which this machine reaches on the node's address", async () => {
    const demos = await Promise.all([runDemo(0), runDemo(1)]);
    const expected = { version: "v2", schemaVersion: 2, noteCount: 0 };
    expect(demos[0]?.page).toMatchObject({ ...expected, host: "x" });
    expect(demos[1]?.page).toMatchObject({ ...expected, host: "y" });
    await Promise.all(demos.map((demo) => demo.remove()));
  });

  test("reach the store and the broker, and nothing beyond the lab", async () => {
    const [x] = lab.nodes;
    if (x === undefined) throw new Error("the lab has no node");
    const script = `
      const [store, queue] = process.argv.slice(1);
      const answers = await Promise.all([fetch(store), fetch(queue + "/?Action=ListQueues")]);
      console.log(answers.map(({ status }) => status).join(" "));`;
    const ask = [process.execPath, "--input-type=module", "-e", script] as const;
    const argv = x.nsenter([...ask, `${lab.s3?.endpoint}`, `${lab.sqs?.endpoint}`]);
    expect((await runCommand(argv, {}, signal)).trim()).toBe("200 200");
    const routes = await runCommand(x.nsenter(["ip", "route", "show", "default"]), {}, signal);
    expect(routes).toBe("");
  });
});

test("the broker delivers a message", async () => {
  const { sqs } = lab;
  if (sqs === undefined) throw new Error("the lab has no broker");
  const { endpoint, region, accessKeyId, secretAccessKey } = sqs;
  const client = new SQSClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey } });
  const { QueueUrl } = await client.send(
    new CreateQueueCommand({ QueueName: `smoke-${crypto.randomUUID()}` }),
  );
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "hello" }));
  const { Messages } = await client.send(
    new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }),
  );
  expect(Messages?.map(({ Body }) => Body)).toEqual(["hello"]);
  await client.send(new DeleteQueueCommand({ QueueUrl }));
  client.destroy();
});

describe("a lab of its own", () => {
  const MAIN = join(import.meta.dirname, "../../infra/lab/main.ts");
  const SMALL = ["--engines", "1", "--gateways", "0", "--no-elasticmq"];
  let owner: ChildProcess;
  let claim: Claim;
  let small: Lab;

  beforeAll(async () => {
    owner = spawn(process.execPath, [MAIN, "up", ...SMALL], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (owner.stdout === null) throw new Error("no output");
    for await (const line of createInterface({ input: owner.stdout })) {
      if (line.includes(" is up: ")) break;
    }
    const found = listClaims().find((each) => each.owner?.pid === owner.pid);
    if (found === undefined) throw new Error("the lab did not start");
    claim = found;
    small = await attachLab(descriptionFile(claim.directory), NO_PARTS, signal);
  });

  afterAll(async () => {
    owner.kill("SIGKILL");
    await removeDeadLabs(signal);
  });

  const runSleeper = async (): Promise<Docker.Container> => {
    const docker = new Docker({ socketPath: `${small.nodes[0]?.dockerSocket}` });
    const container = await docker.createContainer({
      Image: "busybox",
      Cmd: ["sleep", "1000"],
      HostConfig: { RestartPolicy: { Name: "no" } },
    });
    await container.start();
    return container;
  };

  test("a node that crashes comes back with its containers, none of them running", async () => {
    const [x] = small.nodes;
    const sleeper = await runSleeper();
    const { State } = await sleeper.inspect();
    await x?.crash(signal);
    expect(identifyProcess(State.Pid)).toBeUndefined();
    await x?.boot(signal);
    expect((await sleeper.inspect()).State.Running).toBe(false);
  });

  test("a node's plug can be pulled, and its way to one address cut", async () => {
    const [x] = small.nodes;
    if (x === undefined) throw new Error("the lab has no node");
    const { bridgeAddress } = small;
    const route = x.nsenter(["ip", "route", "get", bridgeAddress]);
    await x.setReachable(bridgeAddress, "cut", signal);
    await expect(runCommand(route, {}, signal)).rejects.toThrow();
    await x.setReachable(bridgeAddress, "reachable", signal);
    expect(await runCommand(route, {}, signal)).toContain("dev eth0");
    const carrier = x.nsenter(["ip", "link", "show", "eth0"]);
    await x.setLink("down", signal);
    expect(await runCommand(carrier, {}, signal)).toContain("NO-CARRIER");
    await x.setLink("up", signal);
    expect(await runCommand(carrier, {}, signal)).not.toContain("NO-CARRIER");
  });

  test("leaves nothing behind but its logs, even if its owner is killed", async () => {
    await runSleeper();
    const group = `${small.nodes[0]?.namespace}`;
    expect(await labPids(claim.id, signal)).not.toEqual([]);
    expect(cgroupPids(group)).toHaveLength(1);
    expect(mountsBelow([claim.directory])).not.toEqual([]);
    const ended = new Promise((resolve) => owner.once("exit", resolve));
    owner.kill("SIGKILL");
    await ended;
    expect(await removeDeadLabs(signal)).toContain(claim.id);
    expect(await labNamespaces(claim.id, signal)).toEqual([]);
    expect(cgroupPids(group)).toEqual([]);
    expect(mountsBelow([claim.directory, runDirectory(claim.id)])).toEqual([]);
    expect(existsSync(runDirectory(claim.id))).toBe(false);
    expect(listClaims().map(({ id }) => id)).not.toContain(claim.id);
    expect(readdirSync(claim.directory)).toEqual(["log"]);
    expect(await processesThatName(claim.directory)).toEqual([]);
  });

  const processesThatName = async (text: string): Promise<string[]> => {
    const lines = await runCommand(["ps", "-ww", "-eo", "args"], {}, signal);
    return lines.split("\n").filter((line) => line.includes(`${text}/`));
  };
});
