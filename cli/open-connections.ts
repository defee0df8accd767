/** The connections of a long-running process, counted, with a log that names no secret. */
import { createLogger } from "../adapters/log.ts";
import { createMetrics, type Metrics } from "../adapters/metrics.ts";
import { openTraces } from "../adapters/tracing/open-traces.ts";
import { type Connections, connect } from "../agent/connect.ts";
import type { Config } from "../functions/config.ts";
import { createKnownSecrets } from "../functions/known-secrets.ts";
import { VERSION } from "./version.ts";

export interface ProcessConnections extends Connections {
  /** What passed through them. */
  readonly metrics: Metrics;
}

/** `workDirectory` holds what git fetches. */
export const openConnections = async (
  config: Config,
  workDirectory: string,
): Promise<ProcessConnections> => {
  const secrets = createKnownSecrets(config);
  const log = createLogger({ level: config.logLevel, name: "bagage", secrets: secrets.list });
  const metrics = createMetrics();
  const traces = await openTraces(config.traces, {
    service: "bagage",
    version: VERSION,
    instance: config.node.id,
  });
  const options = { workDirectory, log, metrics, traces, secrets };
  return { ...(await connect(config, options)), metrics };
};
