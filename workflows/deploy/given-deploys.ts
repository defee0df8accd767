/** For tests: projects and deploys in the states that a rule is about, reached by the rules alone. */
import type { ContainerSpec, ProjectSpec } from "../container-spec.ts";
import {
  CommitId,
  type ContainerName,
  DeployId,
  Epoch,
  NodeId,
  ProjectId,
  SnapshotId,
  VolumeName,
} from "../ids.ts";
import { newProject } from "../new-project.ts";
import type { NodeStatus } from "../placement/node-status.ts";
import type { Desired, ProjectState, SnapshotRef } from "../record.ts";
import { decide } from "./decide.ts";
import type { Input, Report } from "./messages.ts";
import { stepKind } from "./steps.ts";

export const NOW = 1_000_000;
export const [X, Y] = ["x", "y"].map((name) => NodeId.parse(name)) as [NodeId, NodeId];
export const WEB = "web" as ContainerName;
export const DATA = VolumeName.parse("data");
export const commit = (letter: string) => CommitId.parse(letter.repeat(40));

export const start: ProjectState = newProject(ProjectId.parse("p"), {
  repository: "r",
  ref: "refs/heads/main",
  file: "Deliverous",
  nodes: [],
  constraints: [],
});

export const spec = (image: string, node: NodeId, volumes = [DATA]): ContainerSpec => ({
  image,
  environment: {},
  ports: [],
  stopGracePeriodMs: 1_000,
  labels: {},
  constraints: [{ subject: "id", key: "id", operator: "==", value: node }],
  volumes: volumes.map((name) => ({ name, path: `/${name}`, readOnly: false })),
});
export const projectOf = (containers: Record<string, ContainerSpec>): ProjectSpec => ({
  containers,
  volumes: { [DATA]: { onNodeLoss: "wait" } },
});

export const status = (node: NodeId): NodeStatus => ({
  node,
  bootId: "b",
  version: "0",
  address: node,
  atMs: NOW,
  labels: {},
  cpus: 2,
  memoryBytes: 2 ** 30,
  memoryReservedBytes: 0,
  diskFreeBytes: 2 ** 40,
  containerCount: 0,
  ports: [],
  warm: [],
  cordoned: false,
});

export const given = (state: ProjectState, ...inputs: Input[]): ProjectState =>
  inputs.reduce((current, input) => {
    const decision = decide(current, input);
    return decision.kind === "changed" ? decision.state : current;
  }, state);

export const request = (id: string, more: Partial<Desired> = {}): Input => ({
  type: "deploy.requested",
  request: {
    requestId: id,
    deployId: DeployId.parse(`deploy-${id}`),
    trigger: "push",
    ref: "refs/heads/main",
    force: false,
    restore: {},
    acceptLoss: false,
    requestedAtMs: NOW,
    ...more,
  },
});
export const resolved = (id: string, letter: string, project: ProjectSpec): Input => ({
  type: "deploy.resolved",
  requestId: id,
  commit: commit(letter),
  subject: "s",
  spec: project,
  nodes: [status(X), status(Y)],
  nowMs: NOW,
});
export const begin = (state: ProjectState, id: string, letter: string, project: ProjectSpec) =>
  given(state, request(id), resolved(id, letter, project));

const snapshot = (id: string): SnapshotRef => ({
  id: SnapshotId.parse(id),
  epoch: Epoch.parse(1),
  takenAtMs: NOW,
  digest: "d",
  files: 1,
  bytes: 10,
  storedBytes: 10,
  kind: "final",
  stopped: "clean",
  deployId: null,
});

/** What the awaited node would report of its first outstanding step. */
export const reportOf = (state: ProjectState, failure: Report["failure"] = null): Input => {
  const deploy = state.deploy;
  const owed = deploy?.phase.awaits[0];
  if (deploy === null || owed === undefined) throw new Error("nothing is awaited");
  const taken = snapshot(`${deploy.id}-${owed.step}`);
  const kind = stepKind(owed.step);
  const volumes: Report["volumes"] =
    kind === "copy" || kind === "seal"
      ? { [DATA]: { snapshot: taken, changedBytes: 1, durationMs: 1 } }
      : {};
  return {
    type: "report.received",
    report: {
      project: state.project,
      deployId: deploy.id,
      step: owed.step,
      node: owed.node,
      atMs: NOW,
      failure,
      volumes,
      containers: {},
    },
    verifiedSnapshots: [taken.id],
    nowMs: NOW,
  };
};

/** Reports step by step until the phase is reached, or the deploy has ended. */
export const until = (state: ProjectState, phase: string | null): ProjectState => {
  let current = state;
  for (
    let i = 0;
    i < 30 && current.deploy !== null && current.deploy.phase.name !== phase;
    i += 1
  ) {
    current = given(current, reportOf(current));
  }
  return current;
};

export const one = projectOf({ [WEB]: spec("one", X) });
export const two = projectOf({ [WEB]: spec("two", Y) });
export const running = until(begin(start, "first", "a", one), null);
/** x was given up while it was being drained. */
export const lostInDrain = given(until(begin(running, "second", "b", two), "draining"), {
  ...{ type: "node.lost", node: X, nowMs: NOW },
});
export const FAILURE = { code: "broken", message: "it broke" };
