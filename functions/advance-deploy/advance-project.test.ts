/**
 * The control functions over a memory store: messages that are lost, repeated and reordered, nodes
 * that answer twice, seals that are not whole. Nodes are played by reports, as they would write them.
 */
import { randomUUID } from "node:crypto";
import pino from "pino";
import { beforeEach, expect, test } from "vitest";
import { openProjectRecords } from "../../adapters/project-records.ts";
import {
  heartbeatKey,
  OPEN_PREFIX,
  PENDING_PREFIX,
  receiptKey,
  reportKey,
} from "../../adapters/store-keys.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import type { Report } from "../../workflows/deploy/messages.ts";
import { stepKind } from "../../workflows/deploy/steps.ts";
import { CommitId, DeployId, NodeId, ProjectId } from "../../workflows/ids.ts";
import type { NodeStatus } from "../../workflows/placement/node-status.ts";
import type { ControlPorts } from "../control-ports.ts";
import { encodeJson } from "../json-object.ts";
import { StepMessage } from "../messages.ts";
import { addProject } from "../projects.ts";
import { recordRequest } from "../request-deploy.ts";
import { sweep } from "../sweep/sweep.ts";
import { advanceProject } from "./advance-project.ts";

const signal = new AbortController().signal;
const project = ProjectId.parse("p");
const [A, B] = ["a", "b"].map((letter) => CommitId.parse(letter.repeat(40)));
const file = (command: string) => Buffer.from(`web:\n    image: i\n    command: ${command}\n`);

let store: ObjectStore;
let sent: { queue: string; message: unknown }[];
let head: CommitId | undefined;
let ports: ControlPorts;

beforeEach(async () => {
  store = createMemoryObjectStore();
  sent = [];
  head = A;
  const nowMs = () => 1_000_000;
  ports = {
    store,
    records: openProjectRecords({ store, nowMs, newUuid: randomUUID }),
    git: {
      resolve: async ({ commit }) => {
        const at = commit ?? head;
        return at === undefined ? null : { commit: at, subject: "s", file: file(at.slice(0, 1)) };
      },
    },
    send: async (queue, message) => {
      sent.push({ queue, message });
    },
    nowMs,
    newUuid: randomUUID,
    log: pino({ level: "silent" }),
  };
  const settings = {
    repository: "r",
    ref: "refs/heads/main",
    file: "Deliverous",
    nodes: [],
    constraints: [],
  };
  await addProject(ports, project, settings, undefined, signal);
  const status: NodeStatus = {
    node: NodeId.parse("x"),
    bootId: "b",
    version: "0",
    address: "a",
    atMs: 1_000_000,
    labels: {},
    cpus: 1,
    memoryBytes: 1,
    memoryReservedBytes: 0,
    diskFreeBytes: 1,
    containerCount: 0,
    ports: [],
    warm: [],
    cordoned: false,
  };
  await store.put(heartbeatKey(status.node), encodeJson(status), {}, signal);
});

const request = (requestId: string) =>
  recordRequest(
    ports,
    project,
    {
      requestId,
      trigger: "push",
      ref: "refs/heads/main",
      force: false,
      restore: {},
      acceptLoss: false,
      requestedAtMs: 1,
    },
    signal,
  );
const advance = (requestId?: string, resend = false) =>
  advanceProject(ports, { project, requestId, resend }, signal);
const state = async () => {
  const loaded = await ports.records.load(project, signal);
  if (loaded === null) throw new Error("no project");
  return loaded.state;
};
const listed = async (prefix: string) => {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix, signal)) keys.push(key);
  return keys;
};

/** What a node would do about a step message: create the report once. */
const answer = async (message: StepMessage, failure: Report["failure"] = null): Promise<void> => {
  const report: Report = {
    project,
    deployId: message.deployId,
    step: message.step,
    node: NodeId.parse("x"),
    atMs: 2,
    failure,
    volumes: {},
    containers: stepKind(message.step) === "start" ? { ["web" as never]: { healthyAtMs: 3 } } : {},
  };
  const key = reportKey(project, message.deployId, message.step, report.node);
  await store.put(key, encodeJson(report), { ifAbsent: true }, signal);
};

const takeSteps = (): StepMessage[] =>
  sent.splice(0).flatMap(({ message }) => {
    const step = StepMessage.safeParse(message);
    return step.success ? [step.data] : [];
  });

test("a request becomes a deploy that ends; nothing is left open or pending", async () => {
  await request("one");
  await advance("one");
  expect(await listed(PENDING_PREFIX)).toEqual([]);
  expect(await listed(OPEN_PREFIX)).toEqual([`${OPEN_PREFIX}p/0000000001`]);
  for (let i = 0; i < 5; i += 1) {
    for (const step of takeSteps()) await answer(step);
    await advance();
  }
  const { deploy, history, containers, commit } = await state();
  expect(deploy).toBeNull();
  expect(history.map(({ result }) => result)).toEqual(["deployed"]);
  expect([Object.keys(containers), commit]).toEqual([["web"], A]);
  expect(await listed(OPEN_PREFIX)).toEqual([]);
  const id = history[0]?.id ?? DeployId.parse("none-none");
  expect(await store.head(receiptKey(project, id), signal)).not.toBeNull();
});

test("12: every message three times, in reverse: one deploy, each step sent once", async () => {
  await request("one");
  await Promise.all([advance("one"), advance("one"), advance("one")]);
  const seen: string[] = [];
  for (let i = 0; i < 5; i += 1) {
    const steps = takeSteps();
    seen.push(...steps.map(({ step }) => step));
    for (const step of [...steps, ...steps, ...steps].reverse()) await answer(step);
    await Promise.all([advance(), advance("one"), advance()]);
  }
  expect((await state()).history.map(({ result }) => result)).toEqual(["deployed"]);
  expect(new Set(seen).size).toBe(seen.length);
});

test("13: every hint lost: the sweep takes the request up and sends the steps again", async () => {
  await request("one");
  for (let i = 0; i < 8; i += 1) {
    sent = [];
    await sweep(ports, signal);
    const hints = sent
      .splice(0)
      .map(({ message }) => message as { requestId?: string; resend: boolean });
    for (const { requestId, resend } of hints) await advance(requestId, resend);
    for (const step of takeSteps()) await answer(step);
  }
  expect((await state()).history.map(({ result }) => result)).toEqual(["deployed"]);
  sent = [];
  expect(await sweep(ports, signal)).toEqual({ hints: 0 });
});

// Whoever found the project at rest took its mark away, also one that a new request had just put.
test("13: a request that comes while the last deploy is closed is still found by the sweep", async () => {
  await request("one");
  await advance("one");
  for (let i = 0; i < 4; i += 1) {
    for (const step of takeSteps()) await answer(step);
    await advance();
  }
  expect((await state()).deploy).toBeNull();
  head = B;
  let isNew = true;
  const late: ObjectStore = {
    ...store,
    delete: async (keys, abort) => {
      if (isNew) {
        isNew = false;
        await request("two");
        await advance("two");
      }
      await store.delete(keys, abort);
    },
  };
  await store.put(`${OPEN_PREFIX}p/0000000001`, new Uint8Array(), {}, signal);
  await advanceProject({ ...ports, store: late }, { project, resend: false }, signal);
  expect((await state()).deploy).not.toBeNull();
  expect(await sweep(ports, signal)).toEqual({ hints: 1 });
});

test("14: pushes A and B, events in the order B, A: B is deployed, A is superseded", async () => {
  head = B;
  await request("push-b");
  await advance("push-b");
  await recordRequest(
    ports,
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
    for (const step of takeSteps()) await answer(step);
    await advance("push-a");
  }
  const { history, commit } = await state();
  expect(commit).toBe(B);
  const results = Object.fromEntries(history.map(({ requestId, result }) => [requestId, result]));
  expect(results["push-b"]).toBe("deployed");
  expect(["superseded", "unchanged"]).toContain(results["push-a"]);
});

test("15: the branch is gone when the deploy is planned: it fails with that reason", async () => {
  head = undefined;
  await request("one");
  await advance("one");
  expect((await state()).history).toMatchObject([
    { result: "failed", reason: expect.stringContaining("not in the repository") },
  ]);
});

test("17: a push while another deploy copies supersedes it; never two at once", async () => {
  await request("one");
  await advance("one");
  const stale = takeSteps();
  head = B;
  await request("two");
  await advance("two");
  for (const step of stale) await answer(step);
  for (let i = 0; i < 5; i += 1) {
    for (const step of takeSteps()) await answer(step);
    await advance();
  }
  const { history, commit } = await state();
  expect(history.map(({ requestId, result }) => [requestId, result])).toEqual([
    ["one", "superseded"],
    ["two", "deployed"],
  ]);
  expect(commit).toBe(B);
});

test("19: a request and its messages a week later change nothing", async () => {
  await request("one");
  await advance("one");
  for (let i = 0; i < 5; i += 1) {
    for (const step of takeSteps()) await answer(step);
    await advance();
  }
  const before = await state();
  await request("one");
  await advance("one");
  await advance("one", true);
  expect(await state()).toEqual(before);
  expect(await listed(PENDING_PREFIX)).toEqual([]);
});

test("a step that fails before the drain fails the deploy and leaves what runs", async () => {
  await request("one");
  await advance("one");
  for (const step of takeSteps())
    await answer(step, { code: "no-image", message: "no such image" });
  await advance();
  expect((await state()).history).toMatchObject([{ result: "failed", reason: "x: no such image" }]);
});
