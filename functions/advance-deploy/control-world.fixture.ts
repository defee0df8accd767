/** The control functions over a memory store. Nodes are played by reports, as they would write them. */
import { randomUUID } from "node:crypto";
import pino from "pino";
import { openProjectRecords } from "../../adapters/project-records.ts";
import { heartbeatKey, reportKey } from "../../adapters/store-keys.ts";
import { RetryableError } from "../../volume/errors.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import type { Report } from "../../workflows/deploy/messages.ts";
import { stepKind } from "../../workflows/deploy/steps.ts";
import { CommitId, NodeId, ProjectId } from "../../workflows/ids.ts";
import type { NodeStatus } from "../../workflows/placement/node-status.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { encodeJson } from "../json-object.ts";
import { StepMessage } from "../messages.ts";
import { addProject } from "../projects.ts";
import { recordRequest } from "../request-deploy.ts";
import { advanceProject } from "./advance-project.ts";

export const project = ProjectId.parse("p");
export const [A, B] = ["a", "b"].map((letter) => CommitId.parse(letter.repeat(40))) as [
  CommitId,
  CommitId,
];
const NOW_MS = 1_000_000;
const file = (command: string) => Buffer.from(`web:\n    image: i\n    command: ${command}\n`);

export interface ControlWorld {
  readonly ports: ControlPorts;
  /** What git has at the ref; undefined: the branch is gone. */
  head: CommitId | undefined;
  readonly sent: { queue: string; message: unknown }[];
  /** What the subscribers' endpoints were posted. */
  readonly posted: { id: string; data: { type: string } }[];
  readonly statuses: string[];
  /** Endpoints of subscribers do not answer. */
  isDeaf: boolean;
  request(requestId: string): Promise<unknown>;
  advance(requestId?: string, resend?: boolean): Promise<unknown>;
  state(): Promise<ProjectState>;
  listed(prefix: string): Promise<string[]>;
  /** What a node would do about a step message: create the report once. */
  answer(message: StepMessage, failure?: Report["failure"]): Promise<void>;
  takeSteps(): StepMessage[];
}

const signal = new AbortController().signal;

/** One project, one node x, a deploy of one container. */
export const openControlWorld = async (): Promise<ControlWorld> => {
  const store = createMemoryObjectStore();
  const nowMs = () => NOW_MS;
  const ports: ControlPorts = {
    store,
    records: openProjectRecords({ store, nowMs, newUuid: randomUUID }),
    git: {
      resolve: async ({ commit }) => {
        const at = commit ?? world.head;
        return at === undefined ? null : { commit: at, subject: "s", file: file(at.slice(0, 1)) };
      },
    },
    events: {
      post: async ({ body }) => {
        if (world.isDeaf) throw new RetryableError("no answer", { code: "subscriber-unavailable" });
        world.posted.push(JSON.parse(body));
      },
      setCommitStatus: async ({ commit, state, description }) => {
        world.statuses.push(`${commit.slice(0, 1)} ${state}: ${description}`);
      },
    },
    send: async (queue, message) => {
      world.sent.push({ queue, message });
    },
    nowMs,
    newUuid: randomUUID,
    log: pino({ level: "silent" }),
  };
  const world: ControlWorld = {
    ports,
    head: A,
    sent: [],
    posted: [],
    statuses: [],
    isDeaf: false,
    request: (requestId) => recordRequest(ports, project, pushOf(requestId), signal),
    advance: (requestId, resend = false) =>
      advanceProject(ports, { project, requestId, resend }, signal),
    state: async () => {
      const loaded = await ports.records.load(project, signal);
      if (loaded === null) throw new Error("no project");
      return loaded.state;
    },
    listed: async (prefix) => {
      const keys: string[] = [];
      for await (const { key } of store.list(prefix, signal)) keys.push(key);
      return keys;
    },
    answer: async (message, failure = null) => {
      const report = reportOn(message, failure);
      const key = reportKey(project, message.deployId, message.step, report.node);
      await store.put(key, encodeJson(report), { ifAbsent: true }, signal);
    },
    takeSteps: () =>
      world.sent.splice(0).flatMap(({ message }) => {
        const step = StepMessage.safeParse(message);
        return step.success ? [step.data] : [];
      }),
  };
  await addProject(ports, project, SETTINGS, undefined, signal);
  await store.put(heartbeatKey(NODE.node), encodeJson(NODE), {}, signal);
  return world;
};

const pushOf = (requestId: string) => ({
  requestId,
  trigger: "push" as const,
  ref: "refs/heads/main",
  force: false,
  restore: {},
  acceptLoss: false,
  requestedAtMs: 1,
});

const reportOn = ({ deployId, step }: StepMessage, failure: Report["failure"]): Report => ({
  project,
  deployId,
  step,
  node: NODE.node,
  atMs: 2,
  failure,
  volumes: {},
  containers: stepKind(step) === "start" ? { ["web" as never]: { healthyAtMs: 3 } } : {},
});

const SETTINGS = {
  repository: "r",
  ref: "refs/heads/main",
  file: "Deliverous",
  nodes: [],
  constraints: [],
};

const NODE: NodeStatus = {
  node: NodeId.parse("x"),
  bootId: "b",
  version: "0",
  address: "a",
  atMs: NOW_MS,
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
