/**
 * Brings a volume's newest snapshot to a node that does not own it, so that a move there fetches only
 * what changed since. The copy is the staging one: a deploy goes on from it, and nothing starts on it.
 * Nothing pins the snapshot: where it is collected meanwhile, there is a newer one to bring.
 */
import type { Copy } from "../../adapters/node-disk.ts";
import { warmingKey } from "../../adapters/store-keys.ts";
import { RetryableError, TerminalError } from "../../volume/errors.ts";
import type { ProjectId, VolumeName } from "../../workflows/ids.ts";
import type { HydrateSummary, ProjectState, VolumeState } from "../../workflows/record.ts";
import { encodeJson } from "../json-object.ts";
import type { VolumeWarm } from "../messages.ts";
import type { NodePorts, OnVolumeProgress } from "../node-ports.ts";
import { openProjectKeys } from "../project-keys.ts";
import { openStepProgress } from "../step-progress.ts";
import { olderCaches, stage } from "../volume-copies.ts";
import { type WarmResult, warmProgressId } from "./warm-result.ts";

export interface WarmTarget {
  readonly project: ProjectId;
  readonly volume: VolumeName;
  /** Larger ones are refused: the node would let go of it at once. */
  readonly bytesMax?: number | undefined;
  readonly onProgress?: OnVolumeProgress;
}

/** What had to be brought; null where the newest snapshot was at hand. */
export const warmVolume = (
  ports: NodePorts,
  target: WarmTarget,
  signal: AbortSignal,
): Promise<HydrateSummary | null> =>
  // Under the lock of every staging: a deploy that begins meanwhile ends it, and goes on from there.
  ports.locks.run(`stage ${target.project}`, async () => {
    const { project } = target;
    const control = new AbortController();
    ports.warmings.set(project, control);
    try {
      return await bringHead(ports, target, AbortSignal.any([signal, control.signal]));
    } catch (cause) {
      if (!control.signal.aborted) throw cause;
      throw new RetryableError(`a deploy of ${project} has begun`, { code: "deploy-runs", cause });
    } finally {
      ports.warmings.delete(project);
    }
  });

const bringHead = async (
  ports: NodePorts,
  target: WarmTarget,
  signal: AbortSignal,
): Promise<HydrateSummary | null> => {
  const { project, volume } = target;
  const state = (await ports.records.load(project, signal))?.state;
  const { known, head } = requireHead(ports, state, target);
  const copies = await ports.disk.listCopies(project, volume);
  if (copies.some(({ role, marker }) => isWarmRole(role) && marker?.snapshotId === head.id)) {
    return null;
  }
  if (target.bytesMax !== undefined && head.bytes > target.bytesMax) {
    throw new TerminalError(
      `volume ${volume} has ${head.bytes} bytes, and ${ports.node} keeps ${target.bytesMax} warm`,
      { code: "cache-budget", hint: "raise the node's BAGAGE_CACHE_BUDGET" },
    );
  }
  const keys = await openProjectKeys(ports.wrappingKeys, state as ProjectState);
  const isCache = olderCaches(known, ports.node);
  const { onProgress } = target;
  const summary = await stage(
    ports,
    {
      ...{ project, volume, snapshotId: head.id, isCache, keys, isUrgent: false },
      ...(onProgress !== undefined && { onProgress }),
    },
    signal,
  );
  ports.log.info({ project, volume, ...summary }, "volume.warmed");
  return summary;
};

const isWarmRole = (role: Copy["role"]): boolean => role === "staging" || role === "sealed";

const requireHead = (
  { node }: NodePorts,
  state: ProjectState | undefined,
  { project, volume }: WarmTarget,
) => {
  const known: VolumeState | undefined = state?.volumes[volume];
  if (state === undefined || known === undefined) {
    throw new TerminalError(`project ${project} has no volume ${volume}`, {
      code: "unknown-volume",
      hint: `bagage volumes ${project}`,
    });
  }
  if (known.owner === node) {
    const hint = "name another node";
    throw new TerminalError(`${node} owns volume ${volume}`, { code: "is-owner", hint });
  }
  if (state.deploy !== null) {
    const hint = `wait for its end: bagage status ${project} --watch`;
    throw new TerminalError(`deploy ${state.deploy.id} is running`, { code: "deploy-runs", hint });
  }
  if (known.head === null) {
    const hint = `take one: bagage snapshot now ${project} ${volume}`;
    throw new TerminalError(`volume ${volume} has no snapshot yet`, { code: "no-snapshot", hint });
  }
  return { known, head: known.head };
};

/** Answers by one object. A repeated request finds the copy there. */
export const createWarmVolume =
  (ports: NodePorts, cacheBudgetBytes: number | null) =>
  async ({ project, volume, requestId }: VolumeWarm, signal: AbortSignal): Promise<void> => {
    const place = { project, deployId: warmProgressId(requestId), step: "warm" };
    const progress = openStepProgress(ports, place, signal);
    let answer: Pick<WarmResult, "hydrate" | "failure">;
    try {
      const bytesMax = cacheBudgetBytes ?? undefined;
      const onProgress = progress.forVolume(volume);
      const hydrate = await warmVolume(ports, { project, volume, bytesMax, onProgress }, signal);
      answer = { hydrate, failure: null };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TerminalError)) throw error;
      const { code, message, hint } = error;
      answer = { hydrate: null, failure: { code, message, ...(hint !== undefined && { hint }) } };
    } finally {
      progress.stop();
    }
    const result: WarmResult = {
      ...{ requestId, node: ports.node, volume, atMs: ports.nowMs() },
      ...answer,
    };
    const options = { ifAbsent: true, contentType: "application/json" };
    const key = warmingKey(project, requestId, volume);
    await ports.store.put(key, encodeJson(result), options, signal);
  };
