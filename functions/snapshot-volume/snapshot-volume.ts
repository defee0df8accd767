/** A pre-copy round: snapshots of the deploy's volumes on this node while their containers run. */
import { dataPath } from "../../adapters/node-disk.ts";
import { TerminalError } from "../../volume/errors.ts";
import type { VolumeReport } from "../../workflows/deploy/messages.ts";
import { roundStep } from "../../workflows/deploy/steps.ts";
import { type Epoch, SnapshotId, type VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import { findOwnCopy } from "../../workflows/node/own-copy.ts";
import type { ProjectState, SnapshotRef } from "../../workflows/record.ts";
import type { StepMessage } from "../messages.ts";
import type { NodePorts } from "../node-ports.ts";
import { runStep, type StepFindings, type StepWork } from "../node-step.ts";
import { runHook } from "./run-hook.ts";
import { writeVolumeSnapshot } from "./write-volume-snapshot.ts";

export const createSnapshotVolume =
  (ports: NodePorts) =>
  (message: StepMessage, signal: AbortSignal): Promise<void> =>
    runStep(ports, message, (work) => copyVolumes(ports, work, signal), signal);

const copyVolumes = (
  ports: NodePorts,
  work: StepWork,
  signal: AbortSignal,
): Promise<StepFindings> => {
  const { project } = work.state;
  return ports.locks.run(`copy ${project}`, async () => {
    const control = new AbortController();
    ports.copies.set(project, control);
    const either = AbortSignal.any([signal, control.signal]);
    try {
      const volumes: StepFindings["volumes"] = {};
      for (const name of keysOf(work.deploy.volumes)) {
        const from = work.deploy.volumes[name]?.from ?? null;
        if (from?.node !== ports.node) continue;
        const { epoch } = from;
        const copies = await ports.disk.listCopies(project, name);
        const own = findOwnCopy(copies, ownedIn(work.state, name, epoch));
        // To wait would be in vain: nothing but an operator can bring the data back.
        if (own === undefined) {
          throw missingData(ports, name, ports.disk.pathOf(project, name, "live", epoch));
        }
        const hookFailure = await flush(ports, work, name, either);
        const target = { name, copy: own.path, epoch, kind: "live" } as const;
        const taken = await takeSnapshot(ports, work, target, either);
        volumes[name] = { ...taken, ...(hookFailure !== null && { hookFailure }) };
      }
      return { volumes, containers: {} };
    } finally {
      if (ports.copies.get(project) === control) ports.copies.delete(project);
    }
  });
};

/**
 * What the container flushes now, it need not write once it is told to stop. Only the pause depends on
 * it: what failed, or null, is told and the round is made all the same.
 */
const flush = async (
  ports: NodePorts,
  { state, deploy }: StepWork,
  name: VolumeName,
  signal: AbortSignal,
): Promise<string | null> => {
  const settings = state.volumes[name]?.settings;
  if (settings === undefined) return null;
  try {
    await runHook(ports, state, { key: "before_copy", settings }, signal);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TerminalError)) throw error;
    const { code, message } = error;
    ports.log.warn(
      { project: state.project, deploy: deploy.id, volume: name, code, message },
      "hook.failed",
    );
    return message;
  }
};

export interface SnapshotTarget {
  readonly name: VolumeName;
  /** The copy whose data are taken. */
  readonly copy: string;
  readonly epoch: Epoch;
  readonly kind: SnapshotRef["kind"];
  readonly stopped?: SnapshotRef["stopped"];
}

/** Takes one snapshot for the deploy's step. Never reuses a key. */
export const takeSnapshot = async (
  ports: NodePorts,
  work: StepWork,
  target: SnapshotTarget,
  signal: AbortSignal,
): Promise<VolumeReport> => {
  const { state, deploy, step } = work;
  const { name } = target;
  const token = ports.newToken();
  const expectedBytes = await expectSize(ports, work, target, signal);
  const { parent: _parent, ...report } = await writeVolumeSnapshot(
    ports,
    {
      state,
      ...target,
      deployId: deploy.id,
      snapshotId: SnapshotId.parse(`${deploy.id}-${step}-${token}`),
      attempt: `${deploy.id}.${step}.${token}`,
      parents: [
        ...(state.volumes[name]?.snapshots.map(({ id }) => id) ?? []),
        ...(deploy.volumes[name]?.copies.map(({ snapshotId }) => snapshotId) ?? []),
      ],
      repack: step === roundStep("copy", 1),
      onProgress: work.progress.forVolume(name, expectedBytes),
    },
    signal,
  );
  return report;
};

/**
 * Bytes to show the progress against. Where nothing is known of the volume its first copy is a read
 * of everything, which a walk before it hardly makes longer; a seal is never made longer.
 */
const expectSize = async (
  ports: NodePorts,
  { state, deploy }: StepWork,
  { name, copy, kind }: SnapshotTarget,
  signal: AbortSignal,
): Promise<number | null> => {
  const known = state.volumes[name]?.head?.bytes ?? deploy.volumes[name]?.copies[0]?.changedBytes;
  if (known !== undefined) return known;
  if (kind === "final") return null;
  try {
    const whole = { directory: dataPath(copy), indexFile: null };
    return (await ports.volumes.measure(whole, signal)).bytes;
  } catch (error) {
    // The snapshot meets the same obstacle, and says so.
    ports.log.debug({ project: state.project, volume: name, err: error }, "measure.failed");
    return null;
  }
};

/** The volume under its epoch, with what the epoch's directory began from. */
export const ownedIn = (state: ProjectState, name: VolumeName, epoch: Epoch) => ({
  epoch,
  origin: state.volumes[name]?.origin ?? { kind: "empty" as const },
});

/** The data of a volume that this node should have and does not. */
export const missingData = (ports: NodePorts, name: VolumeName, copy: string): TerminalError =>
  new TerminalError(`${ports.node} has no data of volume ${name} at ${copy}`, {
    code: "no-local-data",
    hint: "bring its disk back, or declare the node lost",
  });
