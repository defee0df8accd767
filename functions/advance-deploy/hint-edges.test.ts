import { beforeEach, expect, test } from "vitest";
import { edgeKey, ROUTED_PREFIX } from "../../adapters/store-keys.ts";
import { parseDeliverous } from "../../workflows/deliverous.ts";
import { DeployId, Epoch, NodeId } from "../../workflows/ids.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { encodeJson } from "../json-object.ts";
import { type ControlWorld, openControlWorld } from "./control-world.fixture.ts";
import { hintEdges, markRouted } from "./hint-edges.ts";

const signal = new AbortController().signal;
let world: ControlWorld;
let before: ProjectState;

const serving = (node: string, domain: string): ProjectState => {
  const parsed = parseDeliverous(`web: { image: i, domains: [${domain}] }`, "Deliverous");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const placed = { node: NodeId.parse(node), epoch: Epoch.parse(1) };
  const containers = Object.entries(parsed.spec.containers).map(([container, spec]) => [
    container,
    { ...placed, spec, deployId: DeployId.parse("deploy-1") },
  ]);
  return { ...before, containers: Object.fromEntries(containers) };
};

const beat = (edge: string, ageMs: number): Promise<unknown> => {
  const status = { edge, atMs: world.ports.nowMs() - ageMs, version: "1" };
  return world.ports.store.put(edgeKey(NodeId.parse(edge)), encodeJson(status), {}, signal);
};

beforeEach(async () => {
  world = await openControlWorld();
  before = await world.state();
  await Promise.all([beat("one", 0), beat("two", 60_000), beat("gone", 3_600_000)]);
});

test("a name that comes, changes or goes is told to every edge that lives", async () => {
  await hintEdges(world.ports, before, serving("x", "a.org"), signal);
  await hintEdges(world.ports, serving("x", "a.org"), serving("x", "b.org"), signal);
  await hintEdges(world.ports, serving("x", "b.org"), before, signal);
  const each = ["bagage-edge-one", "bagage-edge-two"];
  expect(world.sent.map(({ queue }) => queue)).toEqual([...each, ...each, ...each]);
  expect(world.sent[0]?.message).toEqual({ type: "edge.hint", version: 1, project: "p" });
});

test("a move is told to nobody: an edge finds the container by itself", async () => {
  await hintEdges(world.ports, serving("x", "a.org"), serving("y", "a.org"), signal);
  expect(world.sent).toEqual([]);
});

test("a project with its first way in is marked, so that an edge that heard nothing finds it", async () => {
  await markRouted(world.ports, before, before, signal);
  expect(await world.listed(ROUTED_PREFIX)).toEqual([]);
  await markRouted(world.ports, before, serving("x", "a.org"), signal);
  expect(await world.listed(ROUTED_PREFIX)).toEqual([`${ROUTED_PREFIX}p`]);
});
