/**
 * The control functions over a memory store: messages that are lost, repeated and reordered, nodes
 * that answer twice, seals that are not whole.
 */
import { beforeEach, expect, test } from "vitest";
import { OPEN_PREFIX, PENDING_PREFIX, receiptKey } from "../../adapters/store-keys.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { DeployId, NodeId } from "../../workflows/ids.ts";
import { recordRequest } from "../request-deploy.ts";
import { sweep } from "../sweep/sweep.ts";
import { advanceProject } from "./advance-project.ts";
import { A, B, type ControlWorld, openControlWorld, project } from "./control-world.fixture.ts";

const signal = new AbortController().signal;
let world: ControlWorld;

beforeEach(async () => {
  world = await openControlWorld();
});

test("a request becomes a deploy that ends; nothing is left open or pending", async () => {
  await world.request("one");
  await world.advance("one");
  expect(await world.listed(PENDING_PREFIX)).toEqual([]);
  expect(await world.listed(OPEN_PREFIX)).toEqual([`${OPEN_PREFIX}p/0000000001`]);
  for (let i = 0; i < 5; i += 1) {
    for (const step of world.takeSteps()) await world.answer(step);
    await world.advance();
  }
  const { deploy, history, containers, commit } = await world.state();
  expect(deploy).toBeNull();
  expect(history.map(({ result }) => result)).toEqual(["deployed"]);
  expect([Object.keys(containers), commit]).toEqual([["web"], A]);
  expect(await world.listed(OPEN_PREFIX)).toEqual([]);
  const id = history[0]?.id ?? DeployId.parse("none-none");
  expect(await world.ports.store.head(receiptKey(project, id), signal)).not.toBeNull();
});

test("12: every message three times, in reverse: one deploy, each step sent once", async () => {
  await world.request("one");
  await Promise.all([world.advance("one"), world.advance("one"), world.advance("one")]);
  const seen: string[] = [];
  for (let i = 0; i < 5; i += 1) {
    const steps = world.takeSteps();
    seen.push(...steps.map(({ step }) => step));
    for (const step of [...steps, ...steps, ...steps].reverse()) await world.answer(step);
    await Promise.all([world.advance(), world.advance("one"), world.advance()]);
  }
  expect((await world.state()).history.map(({ result }) => result)).toEqual(["deployed"]);
  expect(new Set(seen).size).toBe(seen.length);
});

test("13: every hint lost: the sweep takes the request up and sends the steps again", async () => {
  await world.request("one");
  for (let i = 0; i < 8; i += 1) {
    world.sent.length = 0;
    await sweep(world.ports, signal);
    const hints = world.sent
      .splice(0)
      .map(({ message }) => message as { requestId?: string; resend: boolean });
    for (const { requestId, resend } of hints) await world.advance(requestId, resend);
    for (const step of world.takeSteps()) await world.answer(step);
  }
  expect((await world.state()).history.map(({ result }) => result)).toEqual(["deployed"]);
  world.sent.length = 0;
  expect(await sweep(world.ports, signal)).toEqual({ hints: 0 });
});

// Whoever found the project at rest took its mark away, also one that a new request had just put.
test("13: a request that comes while the last deploy is closed is still found by the sweep", async () => {
  await world.request("one");
  await world.advance("one");
  for (let i = 0; i < 4; i += 1) {
    for (const step of world.takeSteps()) await world.answer(step);
    await world.advance();
  }
  expect((await world.state()).deploy).toBeNull();
  world.head = B;
  let isNew = true;
  const late: ObjectStore = {
    ...world.ports.store,
    delete: async (keys, abort) => {
      if (isNew) {
        isNew = false;
        await world.request("two");
        await world.advance("two");
      }
      await world.ports.store.delete(keys, abort);
    },
  };
  await world.ports.store.put(`${OPEN_PREFIX}p/0000000001`, new Uint8Array(), {}, signal);
  await advanceProject({ ...world.ports, store: late }, { project, resend: false }, signal);
  expect((await world.state()).deploy).not.toBeNull();
  expect(await sweep(world.ports, signal)).toEqual({ hints: 1 });
});

test("14: pushes A and B, events in the order B, A: B is deployed, A is superseded", async () => {
  world.head = B;
  await world.request("push-b");
  await world.advance("push-b");
  await recordRequest(
    world.ports,
    project,
    {
      requestId: "push-a",
      trigger: "push",
      ref: "refs/heads/main",
      ...(A !== undefined && { commitHint: A }),
      force: false,
      restore: {},
      acceptLoss: false,
      requestedAtMs: 2,
    },
    signal,
  );
  for (let i = 0; i < 5; i += 1) {
    for (const step of world.takeSteps()) await world.answer(step);
    await world.advance("push-a");
  }
  const { history, commit } = await world.state();
  expect(commit).toBe(B);
  const results = Object.fromEntries(history.map(({ requestId, result }) => [requestId, result]));
  expect(results["push-b"]).toBe("deployed");
  expect(["superseded", "unchanged"]).toContain(results["push-a"]);
});

test("15: the branch is gone when the deploy is planned: it fails with that reason", async () => {
  world.head = undefined;
  await world.request("one");
  await world.advance("one");
  expect((await world.state()).history).toMatchObject([
    { result: "failed", reason: expect.stringContaining("not in the repository") },
  ]);
});

test("17: a push while another deploy copies supersedes it; never two at once", async () => {
  await world.request("one");
  await world.advance("one");
  const stale = world.takeSteps();
  world.head = B;
  await world.request("two");
  await world.advance("two");
  for (const step of stale) await world.answer(step);
  for (let i = 0; i < 5; i += 1) {
    for (const step of world.takeSteps()) await world.answer(step);
    await world.advance();
  }
  const { history, commit } = await world.state();
  expect(history.map(({ requestId, result }) => [requestId, result])).toEqual([
    ["one", "superseded"],
    ["two", "deployed"],
  ]);
  expect(commit).toBe(B);
});

test("19: a request and its messages a week later change nothing", async () => {
  await world.request("one");
  await world.advance("one");
  for (let i = 0; i < 5; i += 1) {
    for (const step of world.takeSteps()) await world.answer(step);
    await world.advance();
  }
  const before = await world.state();
  await world.request("one");
  await world.advance("one");
  await world.advance("one", true);
  expect(await world.state()).toEqual(before);
  expect(await world.listed(PENDING_PREFIX)).toEqual([]);
});

test("a step that fails before the drain fails the deploy and leaves what runs", async () => {
  await world.request("one");
  await world.advance("one");
  for (const step of world.takeSteps())
    await world.answer(step, { code: "no-image", message: "no such image" });
  await world.advance();
  expect((await world.state()).history).toMatchObject([
    { result: "failed", reason: "x: no such image" },
  ]);
});

test("a hint that names a report is about that one; one that names none is about all", async () => {
  await world.request("one");
  await world.advance("one");
  const [owed] = world.takeSteps();
  if (owed === undefined) throw new Error("no step is owed");
  await world.answer(owed);
  const phase = async () => (await world.state()).deploy?.phase.name;
  const before = await phase();
  const hint = { deployId: DeployId.parse(owed.deployId), node: NodeId.parse("x") };
  const another = { ...hint, step: "prepare-9" };
  await advanceProject(world.ports, { project, reported: another, resend: false }, signal);
  expect(await phase()).toBe(before);
  const reported = { ...hint, step: owed.step };
  await advanceProject(world.ports, { project, reported, resend: false }, signal);
  expect(await phase()).not.toBe(before);
});
