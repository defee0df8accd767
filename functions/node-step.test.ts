/** What a step on a node does not do: work that nobody waits for any more, or that is done. */
import { randomUUID } from "node:crypto";
import pino from "pino";
import { beforeEach, expect, test } from "vitest";
import { openProjectRecords } from "../adapters/project-records.ts";
import { reportKey } from "../adapters/store-keys.ts";
import { RetryableError, TerminalError } from "../volume/errors.ts";
import { createMemoryObjectStore } from "../volume/memory-object-store.ts";
import {
  begin,
  FAILURE,
  given,
  reportOf,
  running,
  two,
  until,
  X,
  Y,
} from "../workflows/deploy/given-deploys.ts";
import { Report } from "../workflows/deploy/messages.ts";
import type { NodeId } from "../workflows/ids.ts";
import type { ProjectState } from "../workflows/record.ts";
import { readJsonObject } from "./json-object.ts";
import { STEP_FUNCTIONS, type StepMessage } from "./messages.ts";
import type { NodePorts } from "./node-ports.ts";
import { runStep, type StepFindings } from "./node-step.ts";

const { signal } = new AbortController();
const NOTHING: StepFindings = { volumes: {}, containers: {} };
let store: ReturnType<typeof createMemoryObjectStore>;
let performed: string[];
let hints: number;

beforeEach(() => {
  store = createMemoryObjectStore();
  performed = [];
  hints = 0;
});

/** The node with the record as it is now. */
const nodeWith = async (node: NodeId, state: ProjectState): Promise<NodePorts> => {
  const records = openProjectRecords({ store, nowMs: () => 1, newUuid: randomUUID });
  const used: Partial<NodePorts> = {
    node,
    store,
    records,
    nowMs: () => 1,
    log: pino({ level: "silent" }),
    lease: { session: () => null } as NodePorts["lease"],
    sendToControl: async () => {
      hints += 1;
    },
  };
  await records.save(state.project, null, state, signal);
  return used as NodePorts;
};

const messageOf = ({ project, deploy }: ProjectState, step: string): StepMessage => {
  if (deploy === null) throw new Error("nothing is deployed");
  const type = step.startsWith("copy") ? STEP_FUNCTIONS.copy : STEP_FUNCTIONS.seal;
  return { type, version: 1, project, deployId: deploy.id, step };
};
const run = (ports: NodePorts, message: StepMessage, fail?: Error): Promise<void> =>
  runStep(
    ports,
    message,
    async ({ step }) => {
      performed.push(step);
      if (fail !== undefined) throw fail;
      return NOTHING;
    },
    signal,
  );
const reported = (node: NodeId, { project, deployId, step }: StepMessage) =>
  readJsonObject(store, reportKey(project, deployId, step, node), Report, signal);

const copying = begin(running, "second", "b", two);

// Messages come late and again: the second round had begun, and the first was copied once more.
test("a step message of an earlier round does nothing", async () => {
  let later = copying;
  while (later.deploy?.phase.name === "copying" && later.deploy.phase.round === 1) {
    later = given(later, reportOf(later));
  }
  const node = await nodeWith(X, later);
  const stale = messageOf(copying, "copy-1");
  await run(node, stale);
  expect(performed).toEqual([]);
  expect(hints).toBe(0);
  expect(await reported(X, stale)).toBeNull();
});

test.for([
  ["of a deploy that has ended", until(copying, null)],
  ["of a phase that is over", until(copying, "starting")],
] as const)("a step message %s does nothing", async ([, later]) => {
  const node = await nodeWith(X, later);
  const draining = until(copying, "draining");
  const step = draining.deploy?.phase.awaits[0]?.step ?? "";
  await run(node, messageOf(draining, step));
  await run(node, messageOf(copying, "copy-1"));
  expect(performed).toEqual([]);
  expect(hints).toBe(0);
});

test("a step of another node, or of a deploy nobody knows, does nothing", async () => {
  const node = await nodeWith(Y, copying);
  await run(node, messageOf(copying, "copy-1"));
  const other = begin(running, "other", "c", two);
  await run(node, messageOf(other, "prepare-1"));
  expect(performed).toEqual([]);
});

test("a step that is reported is not done again, but its report is told of again", async () => {
  const node = await nodeWith(X, copying);
  const message = messageOf(copying, "copy-1");
  await run(node, message);
  await run(node, message);
  expect(performed).toEqual(["copy-1"]);
  expect(hints).toBe(2);
});

test("an obstacle is the step's result, and on the way back it is waited out", async () => {
  const busy = new TerminalError("it is in use", { code: "volume-busy", hint: "stop it" });
  const node = await nodeWith(X, copying);
  const copy = messageOf(copying, "copy-1");
  await run(node, copy, busy);
  expect(await reported(X, copy)).toMatchObject({ failure: { code: "volume-busy" } });
  const starting = until(copying, "starting");
  const undone = given(starting, reportOf(starting, FAILURE));
  store = createMemoryObjectStore();
  const target = await nodeWith(Y, undone);
  const unstart = messageOf(undone, undone.deploy?.phase.awaits[0]?.step ?? "");
  await expect(run(target, unstart, busy)).rejects.toThrow(RetryableError);
  expect(await reported(Y, unstart)).toBeNull();
  await run(target, unstart);
  expect(await reported(Y, unstart)).toMatchObject({ failure: null });
});
