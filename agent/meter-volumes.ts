/** The volume engine, with the bytes that it moved counted. */
import type { Metrics } from "../adapters/metrics.ts";
import type { VolumeEngine } from "../functions/node-ports.ts";

export const meterVolumes = (
  engine: VolumeEngine,
  metrics: Pick<Metrics, "volumeMoved">,
): VolumeEngine => ({
  ...engine,
  writeSnapshot: async (request, signal) => {
    const summary = await engine.writeSnapshot(request, signal);
    metrics.volumeMoved("stored", summary.storedBytes);
    return summary;
  },
  hydrate: async (request, signal) => {
    const result = await engine.hydrate(request, signal);
    metrics.volumeMoved("fetched", result.fetchedBytes);
    metrics.volumeMoved("reused", result.reusedBytes);
    return result;
  },
});
