/**
 * Node loss on real parts: a crash, and a node that is cut off from the store while clients still
 * reach it. Leases are short here; at the default settings they are almost four times as long.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectDocker } from "../../adapters/docker-engine.ts";
import { tryCommand } from "../../infra/lab/command.ts";
import type { Lab, LabNode } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import type { VolumeState } from "../../workflows/record.ts";
import { addNote, appFile, openScene, readNotes, type Scene } from "./deploy-scene.ts";

const PORT = 8121;
const signal = AbortSignal.timeout(900_000);
let lab: Lab;
let x: LabNode;
let y: LabNode;
let scene: Scene;

const at = (node: LabNode): string => `http://${node.address}:${PORT}`;
const file = (tag: string, node: string | null = null): string =>
  appFile({ tag, node, port: PORT, onNodeLoss: "restore" });
const volume = async (): Promise<VolumeState | undefined> =>
  Object.values((await scene.state()).volumes)[0];
const ownedBy = (node: string) =>
  scene.until(`${node} serves`, ({ volumes, deploy }) => {
    const [found] = Object.values(volumes);
    return deploy === null && found?.owner === node ? found : undefined;
  });
const branchOn = (node: string) =>
  scene.until(`a branch on ${node}`, ({ volumes }) =>
    Object.values(volumes)[0]?.branches.find((branch) => branch.node === node),
  );
const runningOn = async ({ dockerSocket }: LabNode): Promise<string[]> => {
  const listed = await connectDocker({ socketPath: dockerSocket }).listContainers(
    { "bagage.project": scene.project },
    signal,
  );
  return listed.filter(({ state }) => state === "running").map(({ name }) => name);
};

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const [first, second] = lab.nodes;
  if (first === undefined || second === undefined) throw new Error("the lab lacks nodes");
  [x, y] = [first, second];
  scene = await openScene(lab, {
    name: `loss-${randomBytes(3).toString("hex")}`,
    store: "s3",
    queue: "elasticmq",
    sweepS: 1,
    environment: { BAGAGE_LEASE_S: "8" },
  });
  const onX = await scene.repository.push({ Deliverous: file("1", "x") }, "One");
  expect(await scene.ended(onX.commit)).toMatchObject({ result: "deployed" });
  await readNotes(at(x));
  await addNote(at(x), "sealed");
  const again = await scene.repository.push({ Deliverous: file("2") }, "Two");
  expect(await scene.ended(again.commit)).toMatchObject({ result: "deployed" });
});
afterAll(async () => {
  await scene?.close();
  await lab.stop(signal);
});

test("29: a crashed node's volume goes on elsewhere from its head; what it held is a branch", async () => {
  await readNotes(at(x));
  await addNote(at(x), "written after the last snapshot");
  expect((await volume())?.lease).not.toBeNull();
  const crashedAtMs = performance.now();
  await scene.installation.stop("node-x", "SIGKILL");
  await x.crash(signal);
  const lost = await ownedBy("y");
  expect(await readNotes(at(y))).toEqual(["sealed"]);
  console.log(`served elsewhere ${Math.round(performance.now() - crashedAtMs)} ms after the crash`);
  expect(lost.losses).toMatchObject([{ node: "x", acceptedBy: "on_node_loss: restore" }]);
  await x.boot(signal);
  await scene.installation.startNode("x");
  const branch = await branchOn("x");
  expect(branch.bytes).toBeGreaterThan(0);
  expect(branch.changedAtMs).not.toBeNull();
  expect(await runningOn(x)).toEqual([]);
  expect(await readNotes(at(y))).toEqual(["sealed"]);
});

/** Asks the node's port until told to stop; when it last answered, on this machine's clock. */
const watchAnswers = (node: LabNode) => {
  const control = new AbortController();
  let lastMs = Number.NEGATIVE_INFINITY;
  let firstMs: number | null = null;
  const asking = (async () => {
    while (!control.signal.aborted) {
      const answered = await fetch(`${at(node)}/notes`, { signal: AbortSignal.timeout(1_000) })
        .then((response) => response.text())
        .catch(() => null);
      if (answered !== null) {
        lastMs = performance.now();
        firstMs ??= lastMs;
      }
      await delay(20);
    }
  })();
  return {
    lastMs: () => lastMs,
    firstMs: () => firstMs,
    stop: async () => {
      control.abort();
      await asking;
    },
  };
};

test("30: a node that is cut off from the store closes before the other one opens", async () => {
  const storeAddress = new URL(lab.s3?.endpoints[0] ?? "").hostname;
  const old = watchAnswers(y);
  const next = watchAnswers(x);
  await y.setReachable(storeAddress, "cut", signal);
  try {
    await ownedBy("x");
    await readNotes(at(x));
    await expect.poll(next.firstMs, { timeout: 10_000 }).not.toBeNull();
    expect(old.lastMs()).toBeLessThan(next.firstMs() ?? 0);
    expect(await runningOn(y)).toEqual([]);
    await addNote(at(x), "on x again");
  } finally {
    await Promise.all([old.stop(), next.stop()]);
    await y.setReachable(storeAddress, "reachable", signal);
  }
  const branch = await branchOn("y");
  expect(branch.reason).toContain("another copy");
  expect(await readNotes(at(x))).toEqual(["sealed", "on x again"]);
});

test("a branch that its node kept is listed, and becomes the volume again", async () => {
  const { cli } = scene.installation;
  const listed = await cli("branches", scene.project, "--json");
  const branches = JSON.parse(listed.stdout) as { volume: string; node: string; epoch: number }[];
  const lost = branches.find(({ node }) => node === "x");
  const name = `${lost?.volume}@${lost?.node}:${lost?.epoch}`;
  expect((await cli("branches", "restore", scene.project, name)).code).toBe(4);
  const restored = await cli("branches", "restore", scene.project, name, "--accept-loss");
  expect(restored).toMatchObject({ code: 0, stderr: "" });
  expect(await readNotes(at(x))).toEqual(["sealed", "written after the last snapshot"]);
  expect((await cli("branches", "drop", scene.project, name, "--yes")).code).toBe(0);
  const left = JSON.parse((await cli("branches", scene.project, "--json")).stdout) as unknown[];
  expect(left).toHaveLength(branches.length - 1);
});

test("a drained node is left by all, with its data, and takes nothing until it is uncordoned", async () => {
  const { cli } = scene.installation;
  const notes = await readNotes(at(x));
  expect(await cli("node", "drain", "x")).toMatchObject({ code: 0, stderr: "" });
  expect(await readNotes(at(y))).toEqual(notes);
  const nodes = JSON.parse((await cli("nodes", "--json")).stdout) as { node: string }[];
  expect(nodes.find(({ node }) => node === "x")).toMatchObject({ cordoned: true });
  expect((await cli("deploy", scene.project, "--to", "x")).code).toBe(1);
  expect((await cli("node", "uncordon", "x")).code).toBe(0);
});

test("31: a target that dies while starting is not waited for longer than its lease", async () => {
  const notes = await readNotes(at(y));
  const bad = await scene.repository.push({ Deliverous: file("bad", "x") }, "Bad");
  await scene.until("starting", ({ deploy }) =>
    deploy?.phase.name === "starting" ? 1 : undefined,
  );
  await scene.installation.stop("node-x", "SIGKILL");
  await x.crash(signal);
  expect(await scene.ended(bad.commit)).toMatchObject({ result: "rolled-back" });
  expect(await readNotes(at(y))).toEqual(notes);
  await x.boot(signal);
  await scene.installation.startNode("x");
});

test("a node that is given up: refused while it lives, shown what is lost, then gone on elsewhere", async () => {
  const { cli } = scene.installation;
  const waits = appFile({ tag: "2", node: null, port: PORT, onNodeLoss: "wait" });
  const { commit } = await scene.repository.push({ Deliverous: waits }, "Wait");
  expect(await scene.ended(commit)).toMatchObject({ result: "unchanged" });
  expect(await volume()).toMatchObject({ settings: { onNodeLoss: "wait" }, lease: null });
  const notes = await readNotes(at(y));
  await addNote(at(y), "of this no snapshot knows");
  expect((await cli("node", "forget", "y", "--accept-loss")).code).toBe(4);
  await scene.installation.stop("node-y", "SIGKILL");
  await y.crash(signal);
  const shown = await cli("node", "forget", "y");
  expect(shown.code).toBe(4);
  expect(shown.stdout).toContain("writes of the last");
  expect((await volume())?.owner).toBe("y");
  expect((await cli("node", "forget", "y", "--accept-loss")).code).toBe(0);
  expect((await ownedBy("x")).losses.at(-1)).toMatchObject({ node: "y" });
  expect(await readNotes(at(x))).toEqual(notes);
  await y.boot(signal);
  await scene.installation.startNode("y");
  await branchOn("y");
});

test("36: a second agent on a node exits, and a clone of a node fences itself", async () => {
  const environment = {
    PATH: process.env["PATH"] ?? "",
    ...scene.installation.environment,
    BAGAGE_NODE: "x",
    BAGAGE_DOCKER_SOCKET: x.dockerSocket,
  };
  const agent = [process.execPath, "cli/main.ts", "node"];
  const root = join(x.directory, scene.project);
  const second = await tryCommand(
    ["env", ...Object.entries({ ...environment, BAGAGE_NODE_ROOT: root }).map(assign), ...agent],
    {},
    signal,
  );
  expect(second.exitCode).toBe(4);
  expect(second.stderr).toContain("is locked by process");
  const bootId = join(lab.directory, "other-boot-id");
  writeFileSync(bootId, `${randomUUID()}\n`);
  // A machine with a copy of the disk: the same name, another boot.
  const inOtherBoot = `mount --bind ${bootId} /proc/sys/kernel/random/boot_id && exec ${agent.join(" ")}`;
  const clone = await tryCommand(
    x.nsenter([
      ...["unshare", "--mount", "env"],
      ...Object.entries({ ...environment, BAGAGE_NODE_ROOT: `${root}-clone` }).map(assign),
      ...["sh", "-c", inOtherBoot],
    ] as unknown as readonly [string, ...string[]]),
    {},
    signal,
  );
  expect(clone.exitCode).toBe(4);
  expect(clone.stderr).toContain("is running as node x");
  expect((await volume())?.owner).toBe("x");
});

const assign = ([name, value]: [string, string]): string => `${name}=${value}`;
