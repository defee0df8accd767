/**
 * How far a long step is, for people who watch: one object per step and node, overwritten while the
 * step runs and deleted with the deploy's end. Nothing is decided by it, and a step neither waits
 * for it nor fails with it.
 */
import * as z from "zod";
import { progressKey, progressPrefix } from "../adapters/store-keys.ts";
import type { ObjectStore } from "../volume/object-store.ts";
import { DeployId, NodeId, type ProjectId, VolumeName } from "../workflows/ids.ts";
import { encodeJson, readJsonObject } from "./json-object.ts";
import type { StepMessage } from "./messages.ts";
import type { NodePorts, VolumeProgress } from "./node-ports.ts";
import { createProgressRate } from "./progress-rate.ts";

/** What a step does now: one volume, or the pull of one image. */
export const StepProgress = z.object({
  deployId: DeployId,
  step: z.string(),
  node: NodeId,
  volume: VolumeName.nullable(),
  /** The reference of the image that is pulled. */
  image: z.string().nullable(),
  doneBytes: z.int().nonnegative(),
  /** Null while nobody knows. May grow. */
  totalBytes: z.int().nonnegative().nullable(),
  /** Bytes to or from the store or the registry; less than `doneBytes` where much is unchanged. */
  transferredBytes: z.int().nonnegative(),
  /** Of `doneBytes`, over the last seconds. */
  rateBytesPerS: z.number().nonnegative().nullable(),
  atMs: z.int(),
});
export type StepProgress = z.infer<typeof StepProgress>;

type Subject = Pick<StepProgress, "volume" | "image">;
type Report = (progress: VolumeProgress) => void;

export interface StepProgressWriter {
  /** `expectedBytes`: the size to assume where the engine names none. */
  forVolume(volume: VolumeName, expectedBytes?: number | null): Report;
  forImage(reference: string): (pulled: Pick<VolumeProgress, "doneBytes" | "totalBytes">) => void;
  /** The step is over: nothing is written from now on. */
  stop(): void;
}

/** A step that takes no longer is not worth an object; nor is a newer state within this time. */
const WRITE_EVERY_MS = 1_000;
const WRITE_TIMEOUT_MS = 5_000;

type WriterPorts = Pick<NodePorts, "store" | "node" | "nowMs" | "log">;

export const openStepProgress = (
  ports: WriterPorts,
  { project, deployId, step }: Pick<StepMessage, "project" | "deployId" | "step">,
  signal: AbortSignal,
): StepProgressWriter => {
  const key = progressKey(project, deployId, step, ports.node);
  const stopped = new AbortController();
  let writtenAtMs = ports.nowMs();
  let isWriting = false;
  const write = async (progress: StepProgress): Promise<void> => {
    isWriting = true;
    writtenAtMs = progress.atMs;
    const limits = [signal, stopped.signal, AbortSignal.timeout(WRITE_TIMEOUT_MS)];
    try {
      const options = { contentType: "application/json" };
      await ports.store.put(key, encodeJson(progress), options, AbortSignal.any(limits));
    } catch (error) {
      if (!stopped.signal.aborted) ports.log.debug({ project, step, err: error }, "progress.lost");
    } finally {
      isWriting = false;
    }
  };
  const reportOn = (subject: Subject): Report => {
    const rate = createProgressRate();
    return ({ doneBytes, totalBytes, transferredBytes }) => {
      const atMs = ports.nowMs();
      const rateBytesPerS = rate.add(doneBytes, atMs);
      if (isWriting || stopped.signal.aborted || atMs - writtenAtMs < WRITE_EVERY_MS) return;
      const total = totalBytes === null ? null : Math.max(totalBytes, doneBytes);
      const far = { doneBytes, totalBytes: total, transferredBytes, rateBytesPerS, atMs };
      void write({ deployId, step, node: ports.node, ...subject, ...far });
    };
  };
  return {
    forVolume: (volume, expectedBytes = null) => {
      const report = reportOn({ volume, image: null });
      return (far) => report({ ...far, totalBytes: far.totalBytes ?? expectedBytes });
    },
    forImage: (image) => {
      const report = reportOn({ volume: null, image });
      return ({ doneBytes, totalBytes }) =>
        report({ doneBytes, totalBytes, transferredBytes: doneBytes });
    },
    stop: () => stopped.abort(),
  };
};

/** What the steps of a deploy last told of themselves. */
export const readProgress = async (
  store: ObjectStore,
  project: ProjectId,
  deployId: DeployId,
  signal: AbortSignal,
): Promise<StepProgress[]> => {
  const found: StepProgress[] = [];
  for await (const { key } of store.list(progressPrefix(project, deployId), signal)) {
    const progress = await readJsonObject(store, key, StepProgress, signal);
    if (progress !== null) found.push(progress);
  }
  return found;
};

/** Deletes all of a project's, what a late step left of an earlier deploy included; or of one. */
export const clearProgress = async (
  store: ObjectStore,
  project: ProjectId,
  signal: AbortSignal,
  deployId?: DeployId,
): Promise<void> => {
  const keys: string[] = [];
  for await (const { key } of store.list(progressPrefix(project, deployId), signal)) keys.push(key);
  if (keys.length > 0) await store.delete(keys, signal);
};
