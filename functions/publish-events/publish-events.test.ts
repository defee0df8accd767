/** Subscribers are told of what the control functions do, over a memory store. */
import { beforeEach, expect, test } from "vitest";
import type { ProjectSettings } from "../../workflows/project-settings.ts";
import { advanceProject } from "../advance-deploy/advance-project.ts";
import {
  type ControlWorld,
  openControlWorld,
  project,
} from "../advance-deploy/control-world.fixture.ts";
import { sweep } from "../sweep/sweep.ts";
import { publishEvents } from "./publish-events.ts";

const signal = new AbortController().signal;
let world: ControlWorld;

beforeEach(async () => {
  world = await openControlWorld();
});

const subscribe = async () => {
  const { settings } = await world.state();
  const subscribers: ProjectSettings["subscribers"] = [
    { kind: "http", name: "ci", events: [], url: "https://ci.example.org" },
    {
      ...{ kind: "commit-status", name: "forge", events: [], forge: "github" },
      ...{ url: "https://api.github.com", repository: "team/app" },
    },
  ];
  const input = {
    type: "project.configured" as const,
    settings: { ...settings, subscribers },
  };
  await advanceProject(world.ports, { project, input, resend: false }, signal);
};
const deployOnce = async () => {
  await world.request("one");
  await world.advance("one");
  for (let i = 0; i < 5; i += 1) {
    for (const step of world.takeSteps()) await world.answer(step);
    await world.advance();
  }
};
const told = () => world.posted.map(({ data }) => data.type);

test("subscribers are told of a deploy in order, each event once, and the forge of its commit", async () => {
  await subscribe();
  await publishEvents(world.ports, project, signal);
  await deployOnce();
  expect(await publishEvents(world.ports, project, signal)).toEqual({ isBehind: false });
  expect(told().filter((type) => !type.startsWith("deploy.step"))).toEqual([
    "project.configured",
    ...["deploy.requested", "deploy.started"],
    ...Array(4).fill("deploy.phase.entered"),
    "deploy.ended",
  ]);
  expect(new Set(world.posted.map(({ id }) => id)).size).toBe(world.posted.length);
  expect(world.statuses).toEqual(["a pending: is being deployed", "a success: deployed"]);
  await publishEvents(world.ports, project, signal);
  expect(world.statuses).toHaveLength(2);
});

test("events whose hints are lost, or whose subscriber is away, are told when the sweep comes by", async () => {
  await subscribe();
  await publishEvents(world.ports, project, signal);
  world.isDeaf = true;
  await deployOnce();
  expect(await publishEvents(world.ports, project, signal)).toEqual({ isBehind: true });
  // The other subscriber does not wait for it.
  expect(world.statuses).toHaveLength(2);
  world.isDeaf = false;
  world.sent.length = 0;
  await sweep(world.ports, signal);
  await world.advance();
  expect(world.sent.map(({ message }) => (message as { type: string }).type)).toContain(
    "events.hint",
  );
  await publishEvents(world.ports, project, signal);
  expect(told().at(-1)).toBe("deploy.ended");
  await world.advance();
  expect(await sweep(world.ports, signal)).toEqual({ hints: 0 });
});
