/**
 * Nodes as infra/compose.yml runs them, from the image that `npm run image` makes: a volume moves
 * between two of them, and whatever ends an agent's container, two never write one volume.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { buildImage } from "../../infra/image/build-image.ts";
import { runCommand } from "../../infra/lab/command.ts";
import type { Lab, LabNode } from "../../infra/lab/connect-lab.ts";
import { COMPOSE_PACKAGES, ensureDebianPackages } from "../../infra/lab/debian-packages.ts";
import type { Installation } from "../../infra/lab/installation.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { addNote, appFile, openScene, readNotes, type Scene } from "./deploy-scene.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PORT = 8131;
const IMAGE = "bagage";
const START_TIMEOUT_MS = 60_000;
/** A loaded machine takes seconds for a command of Compose; the lease must outlast one. */
const LEASE_S = 15;
const Nodes = z.array(z.object({ node: z.string() }));
const signal = AbortSignal.timeout(900_000);
let lab: Lab;
let x: LabNode;
let y: LabNode;
let scene: Scene;

const at = (node: LabNode): string => `http://${node.address}:${PORT}`;
const file = (node: string | null): string =>
  appFile({ tag: "1", node, port: PORT, onNodeLoss: "restore" });

const secretsOf = ({ directory }: Installation): string => join(directory, "secrets");

const layKeys = (installation: Installation): void => {
  const secrets = secretsOf(installation);
  mkdirSync(secrets, { recursive: true });
  const { BAGAGE_S3_ACCESS_KEY = "", BAGAGE_S3_SECRET_KEY = "" } = installation.environment;
  writeFileSync(join(secrets, "store-access-key"), BAGAGE_S3_ACCESS_KEY);
  writeFileSync(join(secrets, "store-secret-key"), BAGAGE_S3_SECRET_KEY);
};

/** `docker compose` as an operator of the node's machine calls it. */
const compose = (
  installation: Installation,
  node: LabNode,
  ...argv: readonly string[]
): Promise<string> => {
  const { environment, directory } = installation;
  const env = {
    ...{ PATH: process.env["PATH"] ?? "", HOME: directory },
    DOCKER_HOST: `unix://${node.dockerSocket}`,
    COMPOSE_PROJECT_NAME: `bagage-${node.name}`,
    BAGAGE_STORE: environment["BAGAGE_STORE"] ?? "",
    BAGAGE_S3_ENDPOINT: environment["BAGAGE_S3_ENDPOINT"] ?? "",
    BAGAGE_SECRETS: secretsOf(installation),
    ADDRESS: node.address,
    QUEUE_ADDRESS: new URL(environment["BAGAGE_SQS_ENDPOINT"] ?? "").hostname,
    BAGAGE_NODE: node.name,
    BAGAGE_NODE_ROOT: join(node.directory, "composed"),
    BAGAGE_DOCKER_SOCKET: node.dockerSocket,
    BAGAGE_LEASE_S: String(LEASE_S),
  };
  const files = ["-f", "infra/compose.yml", "--project-directory", "."];
  return runCommand(["docker-compose", ...files, ...argv], { cwd: ROOT, env }, signal);
};

/** When the application's containers on the node started, and when each ended. */
const runs = async ({ dockerSocket }: LabNode) => {
  const docker = new Docker({ socketPath: dockerSocket });
  const filters = { label: [`bagage.project=${scene.project}`] };
  const listed = await docker.listContainers({ all: true, filters });
  const inspected = await Promise.all(listed.map(({ Id }) => docker.getContainer(Id).inspect()));
  return inspected.map(({ State }) => ({
    isRunning: State.Running,
    startedMs: Date.parse(State.StartedAt),
    endedMs: Date.parse(State.FinishedAt),
  }));
};
const isRunning = async (node: LabNode): Promise<boolean> =>
  (await runs(node)).some((run) => run.isRunning);
const ownedBy = ({ name }: LabNode) =>
  scene.until(`${name} serves`, ({ volumes, deploy }) => {
    const [found] = Object.values(volumes);
    return deploy === null && found?.owner === name ? found : undefined;
  });

beforeAll(async () => {
  await ensureDebianPackages(COMPOSE_PACKAGES, signal);
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const [first, second] = lab.nodes;
  if (first === undefined || second === undefined) throw new Error("the lab lacks nodes");
  [x, y] = [first, second];
  for (const { dockerSocket } of [x, y]) {
    await buildImage({ socketPath: dockerSocket, name: IMAGE }, signal);
  }
  scene = await openScene(lab, {
    name: `composed-${randomBytes(3).toString("hex")}`,
    store: "s3",
    queue: "elasticmq",
    sweepS: 1,
    startNode: async (installation, node) => {
      layKeys(installation);
      await compose(installation, node, "up", "-d", "node");
      await waitUntil(
        async () => {
          const { stdout } = await installation.cli("nodes", "--json");
          const known = Nodes.parse(JSON.parse(stdout));
          return known.some((one) => one.node === node.name) ? true : undefined;
        },
        { what: `a sign of life of ${node.name}`, timeoutMs: START_TIMEOUT_MS },
        signal,
      );
    },
  });
}, 600_000);
afterAll(async () => {
  if (scene !== undefined) {
    await Promise.all([x, y].map((node) => compose(scene.installation, node, "down")));
    await scene.close();
  }
  await lab.stop(signal);
}, 300_000);

test("a volume moves between two nodes that run in containers", async () => {
  const onX = await scene.repository.push({ Deliverous: file("x") }, "One");
  expect(await scene.ended(onX.commit)).toMatchObject({ result: "deployed" });
  await readNotes(at(x));
  await addNote(at(x), "of x");
  const anywhere = await scene.repository.push({ Deliverous: file(null) }, "Two");
  expect(await scene.ended(anywhere.commit)).toMatchObject({ result: "deployed" });
  const moved = await scene.installation.cli("deploy", scene.project, "--to", "y");
  expect(moved).toMatchObject({ code: 0, stderr: "" });
  expect(await readNotes(at(y))).toEqual(["of x"]);
});

test("the guard outlives its agent's container, and ends what runs before it goes on elsewhere", async () => {
  await compose(scene.installation, y, "kill", "node");
  expect(await isRunning(y)).toBe(true);
  await ownedBy(x);
  expect(await readNotes(at(x))).toEqual(["of x"]);
  const old = (await runs(y)).map(({ endedMs }) => endedMs);
  const next = (await runs(x)).map(({ startedMs }) => startedMs);
  expect(await isRunning(y)).toBe(false);
  expect(Math.max(...old)).toBeLessThan(Math.max(...next));
});

test("taken down, nothing runs unwatched; brought up again it goes on with its data", async () => {
  await addNote(at(x), "before all goes down");
  await compose(scene.installation, x, "down");
  expect(await isRunning(x)).toBe(false);
  await compose(scene.installation, x, "up", "-d", "node");
  expect(await readNotes(at(x))).toEqual(["of x", "before all goes down"]);
  await compose(scene.installation, y, "up", "-d", "node");
  await scene.until("y's old copy is a branch", ({ volumes }) =>
    Object.values(volumes)[0]?.branches.find(({ node }) => node === "y"),
  );
});

test("without its guard a node starts nothing that needs one, and says which command is missing", async () => {
  await compose(scene.installation, x, "stop", "guard");
  expect(await isRunning(x)).toBe(false);
  await expect
    .poll(() => compose(scene.installation, x, "logs", "--no-color", "node"), { timeout: 60_000 })
    .toContain("guard-missing");
  expect(await isRunning(x)).toBe(false);
});
