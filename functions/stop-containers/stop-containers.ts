/**
 * Stops what a deploy drains and takes the final snapshots (seal), or stops what it started and keeps
 * its data aside (unstart). The fence is on disk before anything is stopped.
 */
import type { Marker } from "../../adapters/node-disk.ts";
import type { ContainerOutcome } from "../../workflows/deploy/container-outcome.ts";
import type { VolumeReport } from "../../workflows/deploy/messages.ts";
import { stepKind } from "../../workflows/deploy/steps.ts";
import type { ContainerName, Epoch, ProjectId, VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import { findOwnCopy } from "../../workflows/node/own-copy.ts";
import type { VolumeMove } from "../../workflows/record.ts";
import { nodeLabels, parseLabels } from "../container-names.ts";
import type { StepMessage } from "../messages.ts";
import type { NodePorts } from "../node-ports.ts";
import { runStep, type StepFindings, type StepWork } from "../node-step.ts";
import { missingData, ownedIn, takeSnapshot } from "../snapshot-volume/snapshot-volume.ts";
import { refuseRunning, refuseUsed } from "./refuse-used.ts";
import { stopContainer } from "./stop-container.ts";
import { readOutcomes, writeOutcomes } from "./stop-outcomes.ts";

/** For containers that the record does not know any more. */
const GRACE_DEFAULT_MS = 10_000;

export const createStopContainers =
  (ports: NodePorts) =>
  (message: StepMessage, signal: AbortSignal): Promise<void> =>
    runStep(
      ports,
      message,
      (work) =>
        ports.locks.run(`project ${work.state.project}`, async () => {
          await ports.fences.raise(work.state.project, work.assignment.fences);
          const stopped = await stopMoved(ports, work, signal);
          // Beside the snapshot: what they mount is renamed away, so they can't start again meanwhile.
          const removing = removeStopped(ports, work, stopped, signal);
          removing.catch(() => undefined);
          try {
            if (stepKind(work.step) !== "seal") {
              await stopped.outcomes;
              return { containers: {}, volumes: await branchVolumes(ports, work, signal) };
            }
            const volumes = await sealVolumes(ports, work, stopped.outcomes, signal);
            return { containers: await stopped.outcomes, volumes };
          } finally {
            await removing;
          }
        }),
      signal,
    );

type Outcomes = Readonly<Record<ContainerName, ContainerOutcome>>;

interface Stopped {
  /** When the engine has confirmed every stop. */
  readonly outcomes: Promise<Outcomes>;
  /** The engine's names of those that are left to be removed. */
  readonly names: readonly string[];
}

/** Gates first, then the containers. Resolves when no process of them is left. */
const stopMoved = async (
  ports: NodePorts,
  work: StepWork,
  signal: AbortSignal,
): Promise<Stopped> => {
  const { project } = work.state;
  const known = await readOutcomes(ports.disk.root, project, work.deploy.id, work.step);
  ports.copies.get(project)?.abort(new Error("the drain does not wait for a pre-copy"));
  const listed = await ports.docker.listContainers(nodeLabels(ports.node, project), signal);
  const ours = listed.flatMap(({ labels, name }) => {
    const parsed = parseLabels(labels);
    const isMoved = parsed !== null && work.deploy.containers[parsed.container] !== undefined;
    return isMoved ? [{ name, ...parsed }] : [];
  });
  const graceOf = (container: ContainerName): number => {
    const move = work.deploy.containers[container];
    return (move?.from?.spec ?? move?.to?.spec)?.stopGracePeriodMs ?? GRACE_DEFAULT_MS;
  };
  const stopBeganAtMs = ports.nowMs();
  // All before the first stops: one may answer its requests with the help of another.
  const drains = keysOf(work.deploy.containers).map((container) =>
    ports.gates.drain(project, container, graceOf(container)),
  );
  await Promise.all(drains);
  const stops = ours.map(({ name, container }) => ({
    container,
    ...stopContainer(ports, name, graceOf(container), signal),
  }));
  const outcomes = Promise.all(
    stops.map(async ({ container, confirmed }) => {
      return [container, { stopBeganAtMs, ...(await confirmed) }] as const;
    }),
  ).then((seen): Outcomes => ({ ...Object.fromEntries(seen.reverse()), ...known }));
  outcomes.catch(() => undefined);
  await Promise.all(stops.map(({ gone }) => gone));
  return { outcomes, names: ours.map(({ name }) => name) };
};

/** What was seen of them is kept on disk first, because it can't be seen twice. */
const removeStopped = async (
  ports: NodePorts,
  { state, deploy, step }: StepWork,
  { outcomes, names }: Stopped,
  signal: AbortSignal,
): Promise<void> => {
  await writeOutcomes(ports.disk.root, state.project, deploy.id, step, await outcomes);
  await Promise.all(names.map((name) => ports.docker.removeContainer(name, signal)));
};

const sealVolumes = async (
  ports: NodePorts,
  work: StepWork,
  outcomes: Stopped["outcomes"],
  signal: AbortSignal,
): Promise<StepFindings["volumes"]> => {
  const volumes: StepFindings["volumes"] = {};
  const mine = keysOf(work.deploy.volumes).flatMap((name) => {
    const from = (work.deploy.volumes[name] as VolumeMove).from;
    return from?.node === ports.node ? [{ name, epoch: from.epoch }] : [];
  });
  // All are closed before the first is read: containers that share volumes stop as one.
  for (const { name, epoch } of mine) await closeVolume(ports, work, name, epoch);
  await ports.locks.run(`copy ${work.state.project}`, async () => undefined);
  for (const target of mine) {
    volumes[target.name] = await sealVolume(ports, work, { ...target, outcomes }, signal);
  }
  await outcomes;
  for (const one of mine) await refuseMounted(ports, work.state.project, one, signal);
  return volumes;
};

/** Renames the directory away from where a container would mount it, then looks for writers. */
const closeVolume = async (
  ports: NodePorts,
  { state }: StepWork,
  name: VolumeName,
  epoch: Epoch,
): Promise<void> => {
  const { project } = state;
  const { disk } = ports;
  const sealed = disk.pathOf(project, name, "sealed", epoch);
  const copies = await disk.listCopies(project, name);
  if (!copies.some(({ path }) => path === sealed)) {
    const own = findOwnCopy(copies, ownedIn(state, name, epoch));
    if (own === undefined) throw missingData(ports, name, sealed);
    await disk.moveCopy(own.path, sealed);
  }
  await refuseUsed(ports, { project, volume: name }, sealed);
};

/** The same asked of the engine, which knows of a container's end some time after it. */
const refuseMounted = async (
  ports: NodePorts,
  project: ProjectId,
  { name, epoch }: { readonly name: VolumeName; readonly epoch: Epoch },
  signal: AbortSignal,
): Promise<void> => {
  const paths = (["sealed", "live"] as const).map((role) =>
    ports.disk.pathOf(project, name, role, epoch),
  );
  await refuseRunning(ports, { project, volume: name }, paths, signal);
};

const sealVolume = async (
  ports: NodePorts,
  work: StepWork,
  target: { name: VolumeName; epoch: Epoch; outcomes: Stopped["outcomes"] },
  signal: AbortSignal,
): Promise<VolumeReport> => {
  const { name, epoch } = target;
  const copy = ports.disk.pathOf(work.state.project, name, "sealed", epoch);
  const found = await takeSnapshot(ports, work, { name, copy, epoch, kind: "final" }, signal);
  const { snapshot } = found;
  if (snapshot === undefined) return found;
  const { id: snapshotId, digest, bytes, files } = snapshot;
  const marker: Marker = { snapshotId, digest, bytes, files, writtenAtMs: ports.nowMs() };
  await ports.disk.writeMarker(copy, marker);
  await ports.disk.dropIndexes(copy, snapshotId);
  const isKilled = Object.values(await target.outcomes).some(({ stopped }) => stopped === "killed");
  return { ...found, snapshot: { ...snapshot, stopped: isKilled ? "killed" : "clean" } };
};

/** What the containers of a failed start wrote stays on this node as a branch. */
const branchVolumes = async (
  ports: NodePorts,
  { state, deploy }: StepWork,
  signal: AbortSignal,
): Promise<StepFindings["volumes"]> => {
  const { project } = state;
  const { disk } = ports;
  const volumes: StepFindings["volumes"] = {};
  for (const name of keysOf(deploy.volumes)) {
    if (deploy.volumes[name]?.to !== ports.node) continue;
    const epoch = state.volumes[name]?.epoch;
    if (epoch === undefined) continue;
    const branch = disk.pathOf(project, name, "branch", epoch);
    const copies = await disk.listCopies(project, name);
    const live = copies.find((copy) => copy.role === "live" && copy.epoch === epoch);
    if (live !== undefined) await disk.moveCopy(live.path, branch);
    const kept = (await disk.listCopies(project, name)).find(({ path }) => path === branch);
    if (kept === undefined) continue;
    const paths = [branch, disk.pathOf(project, name, "live", epoch)];
    await refuseUsed(ports, { project, volume: name }, branch);
    await refuseRunning(ports, { project, volume: name }, paths, signal);
    const bytes = kept.marker?.bytes ?? 0;
    const reason = `written by deploy ${deploy.id} before it was rolled back`;
    const place = { node: ports.node, epoch, keptAtMs: ports.nowMs(), bytes, reason };
    volumes[name] = { branch: { ...place, changedAtMs: null, snapshotId: null } };
  }
  return volumes;
};
