/** What a node was given a moment before it died stands in no heartbeat of it. */
import { expect, test } from "vitest";
import { NodeId } from "../workflows/ids.ts";
import { openControlWorld, project } from "./advance-deploy/control-world.fixture.ts";
import { drainNode } from "./drain-node.ts";
import { forgetNode } from "./forget-node.ts";
import { projectsOn } from "./projects-on-node.ts";

const { signal } = new AbortController();
const X = NodeId.parse("x");

/** The node's only heartbeat is older than the deploy, and names no project. */
const openBusyWorld = async () => {
  const world = await openControlWorld();
  await world.request("one");
  await world.advance("one");
  for (let steps = world.takeSteps(); steps.length > 0; steps = world.takeSteps()) {
    for (const step of steps) await world.answer(step);
    await world.advance();
  }
  expect((await world.state()).containers).toMatchObject({ web: { node: X } });
  return world;
};

test("what runs on a node is told from the records, not from the node's last words", async () => {
  const { ports } = await openBusyWorld();
  expect((await projectsOn(ports, X, signal)).map((state) => state.project)).toEqual([project]);
  expect(await projectsOn(ports, NodeId.parse("y"), signal)).toEqual([]);
});

test("a node is forgotten with all that it was given", async () => {
  const world = await openBusyWorld();
  expect(await forgetNode(world.ports, X, "an operator", signal)).toEqual([project]);
  expect((await world.state()).containers).toEqual({});
});

test("a drain moves off all that the node was given", async () => {
  const { ports } = await openBusyWorld();
  expect(await drainNode(ports, { node: X, id: "1" }, signal)).toMatchObject([{ project }]);
});
