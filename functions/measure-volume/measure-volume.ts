/**
 * Measures the project's volumes that this node owns, for a plan. Changes nothing on the node and
 * takes no lock: it may run beside a deploy, and then tells of whatever it found.
 */
import { dataPath, indexPath } from "../../adapters/node-disk.ts";
import { measureKey } from "../../adapters/store-keys.ts";
import type { ProjectId, VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { VolumeState } from "../../workflows/record.ts";
import { encodeJson } from "../json-object.ts";
import type { VolumeMeasure } from "../messages.ts";
import type { NodePorts } from "../node-ports.ts";
import { chooseParent } from "../volume-copies.ts";
import {
  askedAtMs,
  type MeasureResult,
  QUESTION_STALE_MS,
  type VolumeMeasureResult,
} from "./measure-result.ts";

export type MeasurePorts = Pick<
  NodePorts,
  "node" | "store" | "records" | "disk" | "volumes" | "nowMs"
>;

/** Answers by one object. A repeated question finds the answer and is not answered again. */
export const createMeasureVolume =
  (ports: MeasurePorts) =>
  async ({ project, requestId }: VolumeMeasure, signal: AbortSignal): Promise<void> => {
    if (ports.nowMs() - askedAtMs(requestId) > QUESTION_STALE_MS) return;
    const loaded = await ports.records.load(project, signal);
    if (loaded === null) return;
    const volumes: MeasureResult["volumes"] = {};
    for (const name of keysOf(loaded.state.volumes)) {
      const volume = loaded.state.volumes[name];
      if (volume === undefined || volume.owner !== ports.node) continue;
      const measured = await measureVolume(ports, project, name, volume, signal);
      if (measured !== null) volumes[name] = measured;
    }
    const result: MeasureResult = {
      project,
      requestId,
      node: ports.node,
      atMs: ports.nowMs(),
      diskFreeBytes: await ports.disk.freeBytes(),
      volumes,
    };
    const options = { ifAbsent: true, contentType: "application/json" };
    const key = measureKey(project, requestId, ports.node);
    await ports.store.put(key, encodeJson(result), options, signal);
  };

/** Null when the copy that a container writes to is not there, as between a stop and a start. */
const measureVolume = async (
  ports: MeasurePorts,
  project: ProjectId,
  name: VolumeName,
  { epoch, snapshots }: VolumeState,
  signal: AbortSignal,
): Promise<VolumeMeasureResult | null> => {
  const live = ports.disk.pathOf(project, name, "live", epoch);
  const copies = await ports.disk.listCopies(project, name);
  if (!copies.some(({ path }) => path === live)) return null;
  const since = await chooseParent(live, new Set(snapshots.map(({ id }) => id)));
  const indexFile = since === null ? null : indexPath(live, since);
  const request = { directory: dataPath(live), indexFile };
  const { files, bytes, dirtyFiles, dirtyBytes } = await ports.volumes.measure(request, signal);
  return { files, bytes, dirtyFiles, dirtyBytes, since };
};
