/**
 * The store is everything: what an operator does after the queue, the control plane, or all machines
 * are lost, by the commands of docs/operations.md.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../adapters/open-store.ts";
import { openProjectRecords } from "../../adapters/project-records.ts";
import { readConfig } from "../../functions/config.ts";
import type { Lab, LabNode } from "../../infra/lab/connect-lab.ts";
import { killDaemon, restartDaemon } from "../../infra/lab/daemons.ts";
import { awaitElasticMq } from "../../infra/lab/elasticmq.ts";
import { type Installation, install } from "../../infra/lab/installation.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { labHost } from "../../infra/lab/network.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { ProjectId } from "../../workflows/ids.ts";
import { addNote, appFile, openScene, readNotes, type Scene } from "./deploy-scene.ts";

const PORT = 8171;
const signal = AbortSignal.timeout(900_000);
const name = `lost-${randomBytes(3).toString("hex")}`;
/** Seals the project's data; it is in no bucket, so an operator keeps it elsewhere. */
const environment = { BAGAGE_KEY: randomBytes(32).toString("base64"), BAGAGE_LEASE_S: "4" };
let lab: Lab;
let x: LabNode;
let y: LabNode;
let scene: Scene;
let rebuilt: Installation | undefined;

const at = (node: LabNode): string => `http://${node.address}:${PORT}`;
const push = async (tag: string, node: string | null): Promise<string> => {
  const file = appFile({ tag, node, port: PORT });
  return (await scene.repository.push({ Deliverous: file }, `${tag} on ${node}`)).commit;
};

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const [first, second] = lab.nodes;
  if (first === undefined || second === undefined) throw new Error("the lab lacks nodes");
  [x, y] = [first, second];
  scene = await openScene(lab, { name, store: "s3", queue: "elasticmq", environment });
  expect(await scene.installation.cli("key", "init", name)).toMatchObject({ code: 0 });
  expect(await scene.ended(await push("1", "x"))).toMatchObject({ result: "deployed" });
  await readNotes(at(x));
  await addNote(at(x), "sealed");
});
afterAll(async () => {
  await rebuilt?.close();
  await scene?.close();
  await lab.stop(signal);
});

/** Its queues and messages were in memory alone. */
const restartBroker = async (): Promise<void> => {
  const daemon = { name: "elasticmq", labDirectory: lab.directory };
  const spec = killDaemon(daemon, labHost(lab.id, "queue").namespace);
  await restartDaemon(spec, signal);
  await awaitElasticMq(spec, lab.id, signal);
};

test("the queue loses all its messages and the control plane dies in a deploy: another ends it", async () => {
  const { installation } = scene;
  const commit = await push("2", null);
  await scene.until("copying", ({ deploy, history }) =>
    deploy?.phase.name === "copying" || history.some((ended) => ended.commit === commit)
      ? true
      : undefined,
  );
  await installation.stop("serve", "SIGKILL");
  await restartBroker();
  await installation.startServe("another");
  expect(await scene.ended(commit)).toMatchObject({ result: "deployed" });
  expect(await readNotes(at(x))).toEqual(["sealed"]);
  await addNote(at(x), "of this no snapshot knows");
});

test("all machines and the bucket are lost: from a copy of it the project runs again on new ones, and what is lost is said", async () => {
  for (const process of ["another", "node-x", "node-y"]) {
    await scene.installation.stop(process, "SIGKILL");
  }
  await scene.close();
  for (const node of [x, y]) {
    await node.crash(signal);
    rmSync(join(node.directory, name), { recursive: true });
    await node.boot(signal);
  }
  rmSync(scene.installation.directory, { recursive: true });
  // New machines with new names, another queue, another bucket; of the old ones there is but the copy.
  rebuilt = await install(lab, {
    ...{ name: `${name}-copy`, store: "s3", queue: "embedded", environment },
    nodeSettings: { x: { BAGAGE_NODE: "new-x" }, y: { BAGAGE_NODE: "new-y" } },
  });
  await moveObjects(scene.installation, rebuilt);
  await rebuilt.startServe();
  await Promise.all([rebuilt.startNode("x"), rebuilt.startNode("y")]);
  const { cli } = rebuilt;

  // It holds nothing, and seems alive for some seconds more: what x leaves must not go there.
  expect(await cli("node", "forget", "y")).toMatchObject({ code: 0 });
  const shown = await cli("node", "forget", "x");
  expect(shown).toMatchObject({ code: 4 });
  expect(shown.stdout).toMatch(new RegExp(`${name} mes_data: writes of the last .+, since `));
  expect(await cli("node", "forget", "x", "--accept-loss")).toMatchObject({ code: 0 });

  const owner = await ownerOf(rebuilt);
  expect(["new-x", "new-y"]).toContain(owner);
  expect(await readNotes(at(owner === "new-x" ? x : y))).toEqual(["sealed"]);
  const restorePoints = JSON.parse((await cli("snapshots", name, "mes_data", "--json")).stdout) as {
    readonly id: string;
  }[];
  const verified = await cli("verify", name, `mes_data@${restorePoints.at(-1)?.id}`);
  expect(verified).toMatchObject({ code: 0 });
  const nodes = JSON.parse((await cli("nodes", "--json")).stdout) as { readonly node: string }[];
  expect(nodes.map(({ node }) => node).sort()).toEqual(["new-x", "new-y"]);
});

/** Copies all that the platform stored, the records first, and leaves nothing where it was. */
const moveObjects = async (from: Installation, to: Installation): Promise<void> => {
  const [old, copy] = await Promise.all([openStoreOf(from), openStoreOf(to)]);
  const keys: string[] = [];
  for await (const { key } of old.list("", signal)) keys.push(key);
  const isRecord = (key: string): boolean => /^projects\/[^/]+\/record\//.test(key);
  for (const key of [...keys.filter(isRecord), ...keys.filter((key) => !isRecord(key))]) {
    const bytes = await old.get(key, signal);
    if (bytes !== null) await copy.put(key, bytes, { ifAbsent: true }, signal);
  }
  await old.delete(keys, signal);
  expect(keys.filter(isRecord)).not.toEqual([]);
};

const openStoreOf = ({ environment }: Installation) => openStore(readConfig(environment).store);

/** The node that the volume runs on once the fail-over has ended, and what was given up for it. */
const ownerOf = async (installation: Installation): Promise<string> => {
  const store = await openStoreOf(installation);
  const records = openProjectRecords({ store, nowMs: Date.now, newUuid: randomUUID });
  return waitUntil(
    async () => {
      const state = (await records.load(ProjectId.parse(name), signal))?.state;
      const volume = Object.values(state?.volumes ?? {})[0];
      if (state?.deploy !== null || volume?.owner === null || volume?.owner === "x")
        return undefined;
      expect(volume?.losses).toMatchObject([{ node: "x", windowMs: expect.any(Number) }]);
      return volume?.owner;
    },
    { what: "the project runs on a new node", timeoutMs: 120_000 },
    signal,
  );
};
