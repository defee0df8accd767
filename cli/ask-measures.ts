/**
 * Asks nodes for the size of a project's volumes, and waits a little for their answers. A node that
 * does not answer is no error: the plan says so.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { measureKey, measuresPrefix } from "../adapters/store-keys.ts";
import type { ControlPorts } from "../functions/control-ports.ts";
import { readJsonObject } from "../functions/json-object.ts";
import {
  askedAtMs,
  MeasureRequestId,
  MeasureResult,
  QUESTION_STALE_MS,
} from "../functions/measure-volume/measure-result.ts";
import { nodeQueue, type VolumeMeasure } from "../functions/messages.ts";
import type { NodeId, ProjectId } from "../workflows/ids.ts";

const ANSWER_TIMEOUT_MS = 10_000;
const POLL_MS = 200;

export const askMeasures = async (
  { store, send, nowMs }: Pick<ControlPorts, "store" | "send" | "nowMs">,
  project: ProjectId,
  nodes: readonly NodeId[],
  signal: AbortSignal,
): Promise<ReadonlyMap<NodeId, MeasureResult>> => {
  const answers = new Map<NodeId, MeasureResult>();
  if (nodes.length === 0) return answers;
  const requestId = MeasureRequestId.parse(`${nowMs()}-${randomBytes(4).toString("hex")}`);
  const message: VolumeMeasure = { type: "volume.measure", version: 1, project, requestId };
  // A queue that is away makes every node silent, which is what the plan then says.
  const sends = nodes.map((node) => send(nodeQueue(node), message, signal));
  const asked = (await Promise.allSettled(sends)).some(({ status }) => status === "fulfilled");
  const deadlineMs = performance.now() + (asked ? ANSWER_TIMEOUT_MS : 0);
  while (answers.size < nodes.length && performance.now() < deadlineMs) {
    await sleep(POLL_MS, undefined, { signal });
    for (const node of nodes.filter((silent) => !answers.has(silent))) {
      const key = measureKey(project, requestId, node);
      const answer = await readJsonObject(store, key, MeasureResult, signal);
      if (answer !== null) answers.set(node, answer);
    }
  }
  await store.delete(
    [
      ...[...answers.keys()].map((node) => measureKey(project, requestId, node)),
      ...(await findStale({ store, nowMs }, project, signal)),
    ],
    signal,
  );
  return answers;
};

/** Answers that came when nobody waited any more. */
const findStale = async (
  { store, nowMs }: Pick<ControlPorts, "store" | "nowMs">,
  project: ProjectId,
  signal: AbortSignal,
): Promise<string[]> => {
  const prefix = measuresPrefix(project);
  const stale: string[] = [];
  for await (const { key } of store.list(prefix, signal)) {
    if (nowMs() - askedAtMs(key.slice(prefix.length)) > QUESTION_STALE_MS) stale.push(key);
  }
  return stale;
};
