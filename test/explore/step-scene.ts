/** What the steps have in common: where each stands, its next effect, its report. */
import { contentOf, stepKind } from "../../workflows/deploy/steps.ts";
import type { Deploy, ProjectState } from "../../workflows/record.ts";
import { asNode, raiseFences } from "./materialise.ts";
import type { NodeScene } from "./node-moves.ts";
import {
  type Content,
  type NodeWorld,
  type Outcome,
  type ReportWorld,
  type StoreWorld,
  snapshotName,
  type TaskWorld,
} from "./world.ts";

export interface StepScene extends NodeScene {
  readonly task: TaskWorld;
  /** The effects that are done, with those that had nothing to do. */
  readonly stage: number;
  readonly view: ProjectState;
  readonly deploy: Deploy;
}

export const originIn = (state: ProjectState, volume: string) =>
  state.volumes[volume as keyof typeof state.volumes]?.origin ?? { kind: "empty" as const };

export const withTasks = (node: NodeWorld, tasks: readonly TaskWorld[]): NodeWorld => ({
  ...node,
  tasks: [...tasks].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
});

const keyOf = (task: TaskWorld): string => `${task.deployId} ${task.step} ${task.stage}`;

/** The node with the task one effect further. */
export const proceed = (
  { task, stage, node }: StepScene,
  changed: NodeWorld = node,
  more: Partial<TaskWorld> = {},
): NodeWorld =>
  withTasks(changed, [
    ...changed.tasks.filter((other) => other !== task),
    { ...task, stage: stage + 1, ...more },
  ]);

/** The node without the task: it failed in a way that is not reported, and will be delivered again. */
export const giveUp = ({ task }: StepScene, changed: NodeWorld): NodeWorld =>
  withTasks(
    changed,
    changed.tasks.filter((other) => other !== task),
  );

export interface Findings {
  readonly node?: NodeWorld;
  readonly isFailure?: boolean;
  readonly isWhole?: boolean;
  readonly taken?: Readonly<Record<string, Content>>;
  readonly why?: string;
  readonly isTrouble?: boolean;
}

/** The report, created once: of several tries of one step the first result stands. */
export const finish = (scene: StepScene, findings: Findings): Outcome => {
  const { task, store, name, record } = scene;
  const { taken = {}, isFailure = false, isWhole = true } = findings;
  const isStanding = store.reports.some((r) => r.step === task.step && r.node === name);
  const isAwaited =
    record.deploy?.id === task.deployId &&
    record.deploy.phase.awaits.some((a) => a.step === task.step && a.node === name);
  const verdict = isFailure
    ? ` as failed${findings.why === undefined ? "" : `: ${findings.why}`}`
    : "";
  return {
    label: `reports ${task.step}${verdict}${isWhole ? "" : ", with an object missing in the store"}`,
    node: giveUp(scene, findings.node ?? scene.node),
    ...(!isStanding && isAwaited && { store: addReport(scene, { taken, isFailure, isWhole }) }),
    ...(findings.isTrouble === true && { isTrouble: true }),
  };
};

const addReport = (
  { store, task, name, node, hasLeases }: StepScene,
  { taken, isFailure, isWhole }: Required<Pick<Findings, "taken" | "isFailure" | "isWhole">>,
): StoreWorld => {
  const ids = Object.keys(taken).map((volume) => [
    volume,
    snapshotName(task.deployId, task.step, volume),
  ]);
  const report: ReportWorld = {
    step: task.step,
    node: name,
    isFailure,
    isWhole,
    snapshots: isFailure ? {} : Object.fromEntries(ids),
    ...(hasLeases && isStart(task) && { session: task.session ?? node.session }),
  };
  const current = isFailure
    ? []
    : ids.flatMap(([volume, id]) => (taken[volume ?? ""] === "current" ? [id ?? ""] : []));
  return {
    reports: [...store.reports, report].sort((a, b) =>
      `${a.step} ${a.node}` < `${b.step} ${b.node}` ? -1 : 1,
    ),
    current: [...new Set([...store.current, ...current])].sort(),
    broken:
      isWhole || isFailure ? store.broken : [...store.broken, ...ids.map(([, id]) => id ?? "")],
  };
};

export const isStart = ({ step }: Pick<TaskWorld, "step">): boolean =>
  stepKind(step) === "start" || stepKind(step) === "return";

/** Fences up, by the record that the step goes by. */
export const fenceByView = ({ rules, view, name, node }: StepScene): NodeWorld =>
  raiseFences(node, rules.assignNode(view, asNode(name)).fences);

/** What a volume of the deploy starts from, by the real rule. */
export const contentInView = (
  view: ProjectState,
  deploy: Deploy,
  volume: string,
): string | null => {
  const name = volume as keyof typeof deploy.volumes;
  const move = deploy.volumes[name];
  return move === undefined ? null : contentOf(move, view.volumes[name]);
};
