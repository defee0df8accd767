/** From a desired commit, as git has it, to a running deploy: or the reason why there is none. */
import { keysOf, mapRecord } from "../keys-of.ts";
import type { Desired, ProjectState } from "../record.ts";
import { beginDeploy } from "./begin-deploy.ts";
import { endDeploy, endRequest } from "./end-deploy.ts";
import { changed, type Decision, type InputOf, UNCHANGED } from "./messages.ts";
import { planDeploy } from "./plan-deploy.ts";

/** Plans the desired deploy. A running one gives way before it drains, and is awaited after. */
export const resolveDeploy = (state: ProjectState, input: InputOf<"deploy.resolved">): Decision => {
  const { requestId, commit, spec, nodes, nowMs } = input;
  const request = state.desired;
  if (request === null || request.requestId !== requestId) return UNCHANGED;
  const running = state.deploy;
  if (running !== null && running.phase.name !== "copying") return UNCHANGED;
  if (running !== null && running.commit === commit && isPlain(request)) {
    const reason = `commit is being deployed by ${running.id}`;
    return changed(endRequest(state, request, commit, { result: "unchanged", reason, nowMs }));
  }
  const obstacle = findRestoreObstacle(state, request, nowMs);
  if (obstacle !== null) {
    const ending = { result: "failed" as const, reason: obstacle, nowMs };
    return changed(endRequest(state, request, commit, ending));
  }
  const free =
    running === null
      ? state
      : endDeploy(state, running, {
          result: "superseded",
          reason: `by deploy ${request.deployId}`,
          nowMs,
        });
  const plan = planDeploy({ state: free, spec, nodes, request, nowMs });
  if (plan.kind === "impossible") {
    const reason = plan.reasons.join("; ");
    const failed = endRequest(state, request, commit, { result: "failed", reason, nowMs });
    return changed(failed, {
      type: "deploy.failed",
      data: { project: state.project, deploy: request.deployId, reason },
    });
  }
  if (plan.kind === "unchanged") {
    const isStale = request.commitHint !== undefined && request.commitHint !== commit;
    const result = isStale ? ("superseded" as const) : ("unchanged" as const);
    const reason = isStale ? `by commit ${commit}` : "nothing to change";
    const volumes = mapRecord(free.volumes, (volume, name) => {
      const settings = spec.volumes[name] ?? volume.settings;
      const lease = settings.onNodeLoss === "restore" ? volume.lease : null;
      return { ...volume, settings, lease };
    });
    return changed(
      endRequest({ ...free, volumes, commit }, request, commit, { result, reason, nowMs }),
    );
  }
  const { moves } = plan;
  const planned = { request, commit, subject: input.subject, moves };
  return changed(beginDeploy({ ...free, desired: null }, planned, nowMs), {
    type: "deploy.started",
    data: { project: state.project, deploy: request.deployId, commit },
  });
};

const isPlain = (request: Desired): boolean =>
  !request.force && request.target === undefined && keysOf(request.restore).length === 0;

/** Anything but the newest data is started only on the operator's word, who is told its age. */
const findRestoreObstacle = (
  state: ProjectState,
  request: Desired,
  nowMs: number,
): string | null => {
  for (const name of keysOf(request.restore)) {
    const id = request.restore[name];
    const volume = state.volumes[name];
    const snapshot = volume?.snapshots.find((known) => known.id === id);
    if (volume === undefined || snapshot === undefined)
      return `volume ${name} has no snapshot ${id}`;
    const isNewest = volume.owner === null && volume.head?.id === id;
    if (isNewest || request.acceptLoss) continue;
    const minutes = Math.max(0, Math.round((nowMs - snapshot.takenAtMs) / 60_000));
    return `snapshot ${id} of volume ${name} is ${minutes} minutes old and what was written since would not be in it: say --accept-loss`;
  }
  return null;
};
