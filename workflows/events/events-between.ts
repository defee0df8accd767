/** eventsBetween(before, after) → what happened from one revision to the next. Pure; order is told. */
import type { DeployId, VolumeName } from "../ids.ts";
import { keysOf, mapRecord } from "../keys-of.ts";
import type { Deploy, EndedDeploy, ProjectState, VolumeState } from "../record.ts";
import type { ProjectEvent } from "./project-event.ts";

/** `before` is null for the first revision. */
export const eventsBetween = (
  before: ProjectState | null,
  after: ProjectState,
): readonly ProjectEvent[] => {
  const { project } = after;
  return happenings(before, after).map((event): ProjectEvent => ({ project, ...event }));
};

/** An event of the project at hand. */
type Happening = WithoutProject<ProjectEvent>;
type WithoutProject<T> = T extends unknown ? Omit<T, "project"> : never;

const happenings = (before: ProjectState | null, after: ProjectState): Happening[] => {
  if (before === null) return [{ type: "project.added" }];
  const isConfigured = JSON.stringify(before.settings) !== JSON.stringify(after.settings);
  return [
    ...(isConfigured ? [{ type: "project.configured" as const }] : []),
    ...requested(before, after),
    ...endedSince(before, after).flatMap((ended) => tellEnd(before, ended)),
    ...tellRunning(before, after),
    ...keysOf(after.volumes).flatMap((name) => tellVolume(before, after, name)),
  ];
};

/** A request may become a deploy in the very revision that takes it up. */
const requested = (before: ProjectState, after: ProjectState): Happening[] => {
  const known = [before.desired, before.deploy?.request].map((request) => request?.requestId);
  const now = [after.deploy?.request, after.desired].filter((request) => request != null);
  return now
    .filter(({ requestId }) => !known.includes(requestId))
    .map(({ deployId, requestId, trigger, ref }) => {
      return { type: "deploy.requested", deployId, requestId, trigger, ref };
    });
};

const endedSince = (before: ProjectState, after: ProjectState): EndedDeploy[] => {
  const known = new Set(before.history.map(({ id }) => id));
  return after.history.filter(({ id }) => !known.has(id));
};

const tellEnd = (before: ProjectState, ended: EndedDeploy): Happening[] => {
  const running = before.deploy?.id === ended.id ? before.deploy : null;
  const { id, commit, ref, requestId, result, reason } = ended;
  const { startedAtMs, endedAtMs, gapMs, predictedPauseMs } = ended;
  const isForward = result === "deployed" || result === "rolled-back";
  // The last entry of an ended deploy's timeline is its result.
  const phases = ended.timeline.slice(0, -1);
  return [
    ...(isForward ? stepsDone(running, null) : []),
    ...tellPhases(id, running?.timeline.length ?? 0, phases),
    {
      type: "deploy.ended",
      ...{ deployId: id, commit, ref, requestId, result, reason },
      ...{ startedAtMs, endedAtMs, gapMs, predictedPauseMs },
    },
  ];
};

const tellRunning = (before: ProjectState, after: ProjectState): Happening[] => {
  const { deploy } = after;
  if (deploy === null) return [];
  const known = before.deploy?.id === deploy.id ? before.deploy : null;
  return [
    ...(known === null ? [tellStart(deploy)] : []),
    ...(isWayBack(known, deploy) ? [] : stepsDone(known, deploy)),
    ...tellPhases(deploy.id, known?.timeline.length ?? 0, deploy.timeline),
  ];
};

const tellStart = ({ id, commit, ref, subject, containers, volumes }: Deploy): Happening => ({
  type: "deploy.started",
  ...{ deployId: id, commit, ref, subject },
  containers: mapRecord(containers, ({ from, to }) => ({
    from: from?.node ?? null,
    to: to?.node ?? null,
  })),
  volumes: mapRecord(volumes, ({ from, to }) => ({ from: from?.node ?? null, to })),
});

const tellPhases = (deployId: DeployId, from: number, timeline: Deploy["timeline"]): Happening[] =>
  timeline.slice(from).map(({ phase }) => ({ type: "deploy.phase.entered", deployId, phase }));

const WAYS_BACK: readonly string[] = ["unstarting", "returning"];

/** A deploy that turns back leaves what it waited for undone. */
const isWayBack = (before: Deploy | null, after: Deploy): boolean =>
  before !== null && WAYS_BACK.includes(after.phase.name) && !WAYS_BACK.includes(before.phase.name);

/** What was awaited, and is no more. */
const stepsDone = (before: Deploy | null, after: Deploy | null): Happening[] => {
  if (before === null) return [];
  const awaited = new Set(after?.phase.awaits.map(({ step, node }) => `${step} ${node}`));
  return before.phase.awaits
    .filter(({ step, node }) => !awaited.has(`${step} ${node}`))
    .map(({ step, node }) => ({ type: "deploy.step.done", deployId: before.id, step, node }));
};

const tellVolume = (
  { volumes }: ProjectState,
  after: ProjectState,
  volume: VolumeName,
): Happening[] => {
  const before: VolumeState | undefined = volumes[volume];
  const now = after.volumes[volume] as VolumeState;
  const snapshots = new Set(before?.snapshots.map(({ id }) => id));
  const branches = new Set(before?.branches.map(({ node, epoch }) => `${node} ${epoch}`));
  const from = before?.owner ?? null;
  const { owner: to, epoch, head } = now;
  const isBack = head !== null && head.id !== before?.head?.id && snapshots.has(head.id);
  return [
    ...now.snapshots
      .filter(({ id }) => !snapshots.has(id))
      .map((snapshot): Happening => ({ type: "snapshot.taken", volume, snapshot })),
    ...(from === to ? [] : [{ type: "volume.moved" as const, volume, from, to, epoch }]),
    ...(isBack ? [{ type: "volume.restored" as const, volume, snapshotId: head.id }] : []),
    ...now.branches
      .filter(({ node, epoch: kept }) => !branches.has(`${node} ${kept}`))
      .map(({ node, epoch: kept, bytes, reason }): Happening => {
        return { type: "volume.branch.kept", volume, node, epoch: kept, bytes, reason };
      }),
  ];
};
