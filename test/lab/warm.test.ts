/**
 * Standbys on real parts: what a node has at hand it does not fetch again, be it for a deploy or after
 * another node was lost.
 */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab, LabNode } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import type { NodeStatus } from "../../workflows/placement/node-status.ts";
import type { EndedDeploy, VolumeState } from "../../workflows/record.ts";
import { addNote, appFile, openScene, readNotes, type Scene } from "./deploy-scene.ts";

const PORT = 8135;
const MIB = 2 ** 20;
const UPLOAD_BYTES = 32 * MIB;
/** Far less than the volume, far more than a delta of some notes. */
const DELTA_BYTES_MAX = MIB;
const WARM_TIMEOUT_MS = 60_000;
const signal = AbortSignal.timeout(600_000);
let lab: Lab;
let x: LabNode;
let y: LabNode;
let scene: Scene;

const at = (node: LabNode): string => `http://${node.address}:${PORT}`;
const file = (tag: string, standby: number | undefined) =>
  appFile({
    ...{ tag, node: null, port: PORT, onNodeLoss: "restore" },
    ...(standby !== undefined && { standby }),
  });
const volume = async (): Promise<VolumeState> => {
  const [found] = Object.values((await scene.state()).volumes);
  if (found === undefined) throw new Error("there is no volume");
  return found;
};
const takeSnapshot = async (): Promise<void> => {
  expect((await scene.installation.cli("snapshot", "now", scene.project, "--wait")).code).toBe(0);
};
/** Null: the node tells of no copy. */
const warmOn = async (node: string): Promise<string | null> => {
  const { stdout } = await scene.installation.cli("nodes", "--json");
  const nodes = JSON.parse(stdout) as NodeStatus[];
  return nodes.find((one) => one.node === node)?.warm[0]?.snapshotId ?? null;
};
const untilWarm = (node: string, wanted: () => Promise<string | null>): Promise<true> =>
  waitUntil(
    async () => ((await warmOn(node)) === (await wanted()) ? true : undefined),
    { what: `the copy on ${node}`, timeoutMs: WARM_TIMEOUT_MS },
    signal,
  );
const head = async (): Promise<string | null> => (await volume()).head?.id ?? null;
const fetchedIn = (ended: EndedDeploy | undefined): number => {
  const [move] = Object.values(ended?.volumes ?? {});
  return (move?.prepared?.fetchedBytes ?? 0) + (move?.hydrated?.fetchedBytes ?? 0);
};

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const [first, second] = lab.nodes;
  if (first === undefined || second === undefined) throw new Error("the lab lacks nodes");
  [x, y] = [first, second];
  scene = await openScene(lab, {
    name: `warm-${randomBytes(3).toString("hex")}`,
    ...{ store: "s3", queue: "elasticmq", sweepS: 1 },
    environment: { BAGAGE_LEASE_S: "5", BAGAGE_CACHE_BUDGET: "16m" },
  });
  const { commit } = await scene.repository.push({ Deliverous: file("1", 1) }, "One");
  expect(await scene.ended(commit)).toMatchObject({ result: "deployed" });
  const owner = (await volume()).owner;
  if (owner === y.name) [x, y] = [y, x];
  await readNotes(at(x));
  const body = randomBytes(UPLOAD_BYTES);
  const uploaded = await fetch(`${at(x)}/files/large.bin`, { method: "PUT", body });
  expect(uploaded.ok).toBe(true);
});
afterAll(async () => {
  await scene?.close();
  await lab.stop(signal);
});

test("a standby gets each snapshot, and a deploy to it moves the delta only", async () => {
  await takeSnapshot();
  expect((await volume()).standbys).toEqual([y.name]);
  await untilWarm(y.name, head);
  await addNote(at(x), "after the snapshot");
  const { code, stdout } = await scene.installation.cli(
    ...["deploy", scene.project, "--to", y.name, "--json"],
  );
  expect(code).toBe(0);
  const ended = JSON.parse(stdout) as EndedDeploy;
  console.log(`a deploy to the standby of ${UPLOAD_BYTES} bytes fetched ${fetchedIn(ended)}`);
  expect(fetchedIn(ended)).toBeLessThan(DELTA_BYTES_MAX);
  expect((await volume()).owner).toBe(y.name);
  expect(await readNotes(at(y))).toEqual(["after the snapshot"]);
});

test("a lost node's volume goes on at the standby, from what is there", async () => {
  await scene.until("the other node as standby", ({ volumes }) =>
    Object.values(volumes)[0]?.standbys.includes(x.name as never),
  );
  await addNote(at(y), "in the head");
  await takeSnapshot();
  await untilWarm(x.name, head);
  const asked = await scene.installation.cli("warm", x.name, scene.project, "--json");
  expect(asked.code).toBe(0);
  expect(JSON.parse(asked.stdout)).toMatchObject([{ hydrate: null, failure: null }]);
  await scene.installation.stop(`node-${y.name}`, "SIGKILL");
  await y.crash(signal);
  const failover = await scene.until("the end of the fail-over", ({ history, deploy }) =>
    deploy === null ? history.find(({ subject }) => subject.startsWith("Without node")) : undefined,
  );
  expect(failover.result).toBe("deployed");
  expect(fetchedIn(failover)).toBeLessThan(DELTA_BYTES_MAX);
  expect(await readNotes(at(x))).toEqual(["after the snapshot", "in the head"]);
  await y.boot(signal);
  await scene.installation.startNode(y.name);
});

test("a copy beyond the node's budget goes once it is no standby's any more", async () => {
  await scene.until("the node that came back as standby", ({ volumes }) =>
    Object.values(volumes)[0]?.standbys.includes(y.name as never),
  );
  await takeSnapshot();
  await untilWarm(y.name, head);
  const { commit } = await scene.repository.push({ Deliverous: file("1", undefined) }, "None");
  expect(await scene.ended(commit)).toMatchObject({ result: "unchanged" });
  expect((await volume()).standbys).toEqual([]);
  await untilWarm(y.name, async () => null);
  const asked = await scene.installation.cli("warm", y.name, scene.project);
  expect(asked.code).toBe(1);
  expect(asked.stdout).toContain("BAGAGE_CACHE_BUDGET");
});
