import { beforeEach, expect, test } from "vitest";
import { parseDeliverous } from "../../workflows/deliverous.ts";
import type { Input } from "../../workflows/deploy/messages.ts";
import { DeployId, Epoch, NodeId, ProjectId } from "../../workflows/ids.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { addProject } from "../projects.ts";
import { claimHosts } from "./claim-hosts.ts";
import { A, type ControlWorld, openControlWorld, project } from "./control-world.fixture.ts";

const signal = new AbortController().signal;
const OTHER = ProjectId.parse("other");
let world: ControlWorld;

beforeEach(async () => {
  world = await openControlWorld();
  const { settings } = await world.state();
  await addProject(world.ports, OTHER, settings, undefined, signal);
});

const specOf = (...hosts: string[]) => {
  const parsed = parseDeliverous(`web: { image: i, domains: [${hosts.join(", ")}] }`, "Deliverous");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.spec;
};

const stateOf = async (name: ProjectId): Promise<ProjectState> => {
  const loaded = await world.ports.records.load(name, signal);
  if (loaded === null) throw new Error(`no project ${name}`);
  return loaded.state;
};

/** As after the commit of a deploy that names these hosts. */
const serve = async (name: ProjectId, ...hosts: string[]): Promise<void> => {
  const loaded = await world.ports.records.load(name, signal);
  if (loaded === null) throw new Error(`no project ${name}`);
  const placed = { node: NodeId.parse("x"), epoch: Epoch.parse(1) };
  const containers = Object.entries(specOf(...hosts).containers).map(([container, spec]) => [
    container,
    { ...placed, spec, deployId: DeployId.parse("deploy-1") },
  ]);
  const state = { ...loaded.state, containers: Object.fromEntries(containers) };
  await world.ports.records.save(name, loaded, state, signal);
};

const resolve = async (name: ProjectId, ...hosts: string[]): Promise<Input | null> => {
  const resolved: Input = {
    ...{ type: "deploy.resolved", requestId: "r", commit: A, subject: "s", nowMs: 1 },
    ...{ spec: specOf(...hosts), nodes: [] },
  };
  return claimHosts(world.ports, await stateOf(name), resolved, signal);
};

test("a host that another project serves is refused, with its name and what to do", async () => {
  expect(await resolve(project, "a.org", "b.org")).toMatchObject({ type: "deploy.resolved" });
  await serve(project, "a.org", "b.org");
  expect(await resolve(OTHER, "b.org/path", "c.org")).toMatchObject({
    type: "deploy.unresolvable",
    reason: "Deliverous: b.org belongs to project p: remove it there first",
  });
  expect(await resolve(project, "a.org", "b.org")).toMatchObject({ type: "deploy.resolved" });
});

test("a host that its project names no more is free", async () => {
  await resolve(project, "a.org");
  await serve(project, "a.org");
  await serve(project, "new.org");
  expect(await resolve(OTHER, "a.org")).toMatchObject({ type: "deploy.resolved" });
  await serve(OTHER, "a.org");
  expect(await resolve(project, "a.org")).toMatchObject({
    reason: expect.stringContaining("project other"),
  });
});
