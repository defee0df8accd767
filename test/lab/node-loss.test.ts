/**
 * Node loss on real parts: a crash, and a node that is cut off from the store while clients still
 * reach it. Leases are short here; at the default settings they are almost four times as long.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectDocker } from "../../adapters/docker-engine.ts";
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
    expect(next.firstMs()).not.toBeNull();
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
