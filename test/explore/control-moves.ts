/**
 * What can happen to the record. Each is one input to the real `decide`; whoever decides on an old
 * revision loses the race for the next one, so a control function that is late does nothing at all.
 */

import type { ProjectSpec } from "../../workflows/container-spec.ts";
import { NOW, request, resolved, status } from "../../workflows/deploy/given-deploys.ts";
import type { Input, Report } from "../../workflows/deploy/messages.ts";
import { stepKind } from "../../workflows/deploy/steps.ts";
import type {
  DeployId,
  Epoch,
  LeaseSession,
  NodeId,
  SnapshotId,
  VolumeName,
} from "../../workflows/ids.ts";
import type { ProjectState, SnapshotRef } from "../../workflows/record.ts";
import type { Rules } from "./rules.ts";
import type { NodeWorld, ReportWorld, StoreWorld } from "./world.ts";

export interface Push {
  readonly id: string;
  readonly letter: string;
  readonly spec: ProjectSpec;
  /** Volumes to start from their head of then, whichever it is. */
  readonly isRestore?: boolean;
}

/** What the control can see of a node. */
export type Machine = Pick<NodeWorld, "isOn" | "isHeld" | "session" | "seenOver">;

export interface ControlScene {
  readonly record: ProjectState;
  readonly store: StoreWorld;
  readonly machines: Readonly<Record<string, Machine>>;
  readonly pushes: readonly Push[];
  /** Pushes that have not been made yet. */
  readonly requestsLeft: number;
  readonly rules: Rules;
  readonly canCancel: boolean;
  readonly canLose: boolean;
  readonly hasLeases: boolean;
  readonly failoversMax: number;
  readonly alike: readonly string[];
}

export interface ControlOutcome {
  readonly label: string;
  readonly state: ProjectState;
  readonly isTrouble: boolean;
  readonly isRequest: boolean;
  /** Somebody accepts that what a lost node alone holds is given up. */
  readonly isLoss: boolean;
}

export const LATE = NOW * 1_000_000;

export const controlMoves = (scene: ControlScene): ControlOutcome[] => {
  const { record, rules } = scene;
  const outcomes: ControlOutcome[] = [];
  for (const { label, input, isTrouble = false, isRequest = false } of inputs(scene)) {
    const decision = rules.decide(record, input);
    if (decision.kind !== "changed") continue;
    const isLoss = countLosses(decision.state) > countLosses(record);
    outcomes.push({ label, state: decision.state, isTrouble, isRequest, isLoss });
  }
  return outcomes;
};

const countLosses = ({ volumes }: ProjectState): number =>
  Object.values(volumes).reduce((sum, { losses }) => sum + losses.length, 0);

interface Labelled {
  readonly label: string;
  readonly input: Input;
  readonly isTrouble?: boolean;
  readonly isRequest?: boolean;
}

const inputs = (scene: ControlScene): Labelled[] => [
  ...reportInputs(scene),
  ...requestInputs(scene),
  ...troubleInputs(scene),
  ...(scene.hasLeases ? leaseInputs(scene) : []),
];

const reportInputs = ({ record, store }: ControlScene): Labelled[] => {
  const { deploy } = record;
  if (deploy === null) return [];
  return store.reports.map((report) => ({
    label: `the control folds the report of ${report.step} of ${report.node}`,
    input: {
      type: "report.received",
      report: asReport(record, deploy.id, report),
      verifiedSnapshots: Object.values(report.snapshots).filter(
        (id) => !store.broken.includes(id),
      ) as SnapshotId[],
      nowMs: NOW,
    },
  }));
};

export const asReport = (
  record: ProjectState,
  deployId: DeployId,
  report: ReportWorld,
): Report => ({
  project: record.project,
  deployId,
  step: report.step,
  node: report.node as NodeId,
  atMs: NOW,
  failure: report.isFailure ? { code: "failed", message: "it failed" } : null,
  volumes: {
    ...stagedIn(record, report),
    ...Object.fromEntries(
      Object.entries(report.snapshots).map(([volume, id]) => [
        volume,
        {
          snapshot: snapshotRef(id, epochOf(record, volume), stepKind(report.step) === "seal"),
          changedBytes: 0,
          durationMs: 0,
        },
      ]),
    ),
  },
  containers: {},
  ...(report.session !== undefined && { lease: report.session as LeaseSession }),
});

/** Volumes that a target has staged in a round: it is not asked to hydrate them again. */
const stagedIn = ({ deploy }: ProjectState, { step, node, isFailure }: ReportWorld) => {
  if (deploy === null || isFailure || stepKind(step) !== "prepare") return {};
  const counts = { files: 0, bytes: 0, fetchedBytes: 0, reusedBytes: 0, durationMs: 0 };
  return Object.fromEntries(
    Object.entries(deploy.volumes).flatMap(([volume, { from, to, copies }]) => {
      const snapshotId = copies.at(-1)?.snapshotId;
      if (snapshotId === undefined || to !== node || from?.node === to) return [];
      return [[volume, { hydrate: { snapshotId, digest: "", ...counts } }]];
    }),
  );
};

const epochOf = (record: ProjectState, volume: string): Epoch =>
  record.deploy?.volumes[volume as keyof typeof record.volumes]?.from?.epoch ?? (0 as Epoch);

const snapshotRef = (id: string, epoch: Epoch, isFinal: boolean): SnapshotRef => ({
  id: id as SnapshotId,
  epoch,
  takenAtMs: NOW,
  digest: "",
  files: 0,
  bytes: 0,
  storedBytes: 0,
  kind: isFinal ? "final" : "live",
  stopped: isFinal ? "clean" : "running",
  deployId: null,
});

/** Pushes in their order, those made already once more, and what git says of the newest. */
const requestInputs = (scene: ControlScene): Labelled[] => {
  const { record, pushes, requestsLeft } = scene;
  const made = pushes.length - requestsLeft;
  const asked = pushes.slice(0, made + 1).map((push, index) => ({
    label: `push ${push.id} arrives${index < made ? " again" : ""}`,
    input: requestOf(push, record),
    isRequest: index === made,
  }));
  const { desired } = record;
  const push = pushes.find(({ id }) => id === desired?.requestId);
  if (desired === null || push === undefined) return asked;
  const plan = resolved(push.id, push.letter, push.spec);
  if (plan.type !== "deploy.resolved") return asked;
  return [
    ...asked,
    ...statuses(scene).map((nodes) => ({
      label: `the control plans ${push.id}, of ${nodes.map(({ node }) => node).join(", ")}`,
      input: { ...plan, nodes },
    })),
    {
      label: `git has no commit for ${push.id}`,
      input: {
        type: "deploy.unresolvable",
        requestId: push.id,
        commit: null,
        reason: "gone",
        nowMs: NOW,
      },
      isTrouble: true,
    },
  ];
};

const requestOf = (push: Push, record: ProjectState): Input => {
  if (push.isRestore !== true) return request(push.id);
  const restore = Object.fromEntries(
    Object.entries(record.volumes).flatMap(([name, { snapshots }]) => {
      const oldest = snapshots[0];
      return oldest === undefined ? [] : [[name, oldest.id]];
    }),
  );
  return request(push.id, { restore, acceptLoss: true, force: true });
};

const troubleInputs = ({ record, canCancel, canLose, machines }: ControlScene): Labelled[] => {
  const troubles: Labelled[] = [];
  const { deploy, desired } = record;
  troubles.push({
    label: "the deadline passes",
    input: { type: "time.passed", nowMs: LATE },
    isTrouble: true,
  });
  if (canCancel) {
    for (const deployId of [deploy?.id, desired?.deployId]) {
      if (deployId === undefined) continue;
      troubles.push({
        label: `an operator cancels ${deployId}`,
        input: { type: "deploy.cancelled", deployId, nowMs: NOW },
        isTrouble: true,
      });
    }
  }
  if (canLose) {
    for (const [node, { isOn }] of Object.entries(machines)) {
      if (isOn) continue;
      troubles.push({
        label: `an operator gives ${node} up for lost`,
        input: { type: "node.lost", node: node as NodeId, nowMs: NOW },
        isTrouble: true,
      });
    }
  }
  return troubles;
};

/**
 * The nodes that a plan knows of: all that are up; and, where some are alike, all but one of these, so
 * that whichever of them is chosen by its name is not the only one that may be.
 */
const statuses = ({ machines, alike }: Pick<ControlScene, "machines" | "alike">) => {
  const up = Object.entries(machines).flatMap(([name, { isOn }]) => (isOn ? [name as NodeId] : []));
  return [null, ...alike].flatMap((without) =>
    without === null || up.includes(without as NodeId)
      ? [up.filter((node) => node !== without).map((node) => status(node))]
      : [],
  );
};

/** What lease objects say, and which sessions are over, or were since the record is as it is. */
const leaseInputs = (scene: ControlScene): Labelled[] => {
  const { record, machines, failoversMax } = scene;
  const requests = [...record.history, ...(record.deploy === null ? [] : [record.deploy.request])];
  const made = requests.filter(({ requestId }) => requestId.startsWith("failover-")).length;
  const volumes = Object.keys(record.volumes) as VolumeName[];
  return Object.entries(machines).flatMap(([name, { session, isHeld, seenOver }]): Labelled[] => {
    const node = name as NodeId;
    const over = isHeld ? [seenOver].filter((s) => s > 0) : [session];
    const held: Labelled = {
      label: `the control notes session ${session} of ${name}`,
      input: { type: "lease.held", node, session: session as LeaseSession, volumes },
    };
    if (made >= failoversMax) return [held];
    const named = {
      requestId: `failover-${made}`,
      deployId: `deploy-failover-${made}` as DeployId,
    };
    const seen = over.flatMap((s) =>
      statuses(scene).map((nodes): Labelled => {
        const replacement = { ...named, nodes };
        const session = s as LeaseSession;
        return {
          label: `the control sees that session ${s} of ${name} is over`,
          input: { type: "lease.expired", node, session, nowMs: NOW, replacement },
        };
      }),
    );
    return [held, ...seen];
  });
};
