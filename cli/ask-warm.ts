/**
 * Asks a node for a warm copy and waits for its answer. The request is sent again while nothing is
 * heard: a repeated one finds the copy there, or waits for the first.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { warmingKey, warmingsPrefix } from "../adapters/store-keys.ts";
import type { ControlPorts } from "../functions/control-ports.ts";
import { readJsonObject } from "../functions/json-object.ts";
import { nodeQueue, type VolumeWarm } from "../functions/messages.ts";
import { clearProgress, readProgress, type StepProgress } from "../functions/step-progress.ts";
import { WarmRequestId, WarmResult, warmProgressId } from "../functions/warm-volume/warm-result.ts";
import type { NodeId, ProjectId, VolumeName } from "../workflows/ids.ts";

const POLL_MS = 250;
const SEND_EVERY_MS = 30_000;
const PROGRESS_EVERY_MS = 1_000;
/** Nobody waits for an answer any more. */
const STALE_MS = 24 * 3_600_000;

export interface WarmWish {
  readonly node: NodeId;
  readonly project: ProjectId;
  readonly volume: VolumeName;
}

type AskPorts = Pick<ControlPorts, "store" | "send" | "nowMs">;

/** A node that stays silent keeps whoever asked waiting: the signal ends that. */
export const askWarm = async (
  ports: AskPorts,
  { node, project, volume }: WarmWish,
  onProgress: (progress: StepProgress) => void,
  signal: AbortSignal,
): Promise<WarmResult> => {
  const { store, send, nowMs } = ports;
  const requestId = WarmRequestId.parse(`${nowMs()}-${randomBytes(4).toString("hex")}`);
  const message: VolumeWarm = { type: "volume.warm", version: 1, project, volume, requestId };
  const key = warmingKey(project, requestId, volume);
  let sentAtMs = Number.NEGATIVE_INFINITY;
  let readAtMs = nowMs();
  for (;;) {
    if (nowMs() - sentAtMs >= SEND_EVERY_MS) {
      await send(nodeQueue(node), message, signal);
      sentAtMs = nowMs();
    }
    const answer = await readJsonObject(store, key, WarmResult, signal);
    if (answer !== null) {
      await forget(ports, project, requestId, key, signal);
      return answer;
    }
    if (nowMs() - readAtMs >= PROGRESS_EVERY_MS) {
      readAtMs = nowMs();
      const told = await readProgress(store, project, warmProgressId(requestId), signal);
      for (const progress of told) {
        sentAtMs = nowMs();
        onProgress(progress);
      }
    }
    await sleep(POLL_MS, undefined, { signal });
  }
};

/** The answer, its progress, and answers that came when nobody waited any more. */
const forget = async (
  { store, nowMs }: AskPorts,
  project: ProjectId,
  requestId: WarmRequestId,
  key: string,
  signal: AbortSignal,
): Promise<void> => {
  const prefix = warmingsPrefix(project);
  const keys = [key];
  for await (const { key: other } of store.list(prefix, signal)) {
    const askedAtMs = Number.parseInt(other.slice(prefix.length), 10);
    if (nowMs() - askedAtMs > STALE_MS) keys.push(other);
  }
  await store.delete(keys, signal);
  await clearProgress(store, project, signal, warmProgressId(requestId));
};
