/** What every command begins with: the configuration, the connections, the end by Ctrl-C. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "pino";
import { createLogger } from "../adapters/log.ts";
import type { LoadedRecord } from "../adapters/project-records.ts";
import { type Connections, connect } from "../agent/connect.ts";
import { type Config, readConfig } from "../functions/config.ts";
import { unknownProject } from "../functions/projects.ts";
import { ProjectId } from "../workflows/ids.ts";

/** Where `bagage up` has its queue, for the commands on the same machine. */
export const LOCAL_QUEUE_PORT = 7481;
export const LOCAL_QUEUE_KEYS = {
  accessKeyId: "local",
  secretAccessKey: "local",
  keyFiles: undefined,
};

export interface Context extends Connections {
  readonly config: Config;
  readonly signal: AbortSignal;
  loadProject(name: string): Promise<LoadedRecord & { readonly project: ProjectId }>;
}

/** A file store means one machine, whose queue is the one that `bagage up` embeds. */
export const withLocalQueue = (config: Config): Config =>
  config.sqs.endpoint === undefined && config.store.url.startsWith("file:")
    ? {
        ...config,
        sqs: {
          ...config.sqs,
          endpoint: `http://127.0.0.1:${LOCAL_QUEUE_PORT}`,
          credentials: LOCAL_QUEUE_KEYS,
        },
      }
    : config;

/** Aborts at the first SIGINT or SIGTERM; the second one ends the process as it is. */
export const untilSignalled = (): AbortSignal => {
  const control = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => control.abort(new Error(`stopped by ${name}`)));
  }
  return control.signal;
};

/**
 * A service manager's word to take up what changed. Keys in files are taken up without it; here
 * everything is read once more, so that a mistake shows now rather than at the next start.
 */
export const checkSettingsOnHangUp = (log: Logger): void => {
  process.on("SIGHUP", () => {
    try {
      readConfig(process.env);
      log.info("settings.read");
    } catch (error) {
      log.error({ err: error }, "settings.wrong");
    }
  });
};

export const openContext = async (): Promise<Context> => {
  const config = withLocalQueue(readConfig(process.env));
  const log = createLogger({ level: "silent", name: "bagage" });
  const connections = await connect(config, { workDirectory: join(tmpdir(), "bagage-cli"), log });
  const signal = untilSignalled();
  return {
    ...connections,
    config,
    signal,
    loadProject: async (name) => {
      const project = ProjectId.parse(name);
      const loaded = await connections.control.records.load(project, signal);
      if (loaded !== null) return { ...loaded, project };
      throw await unknownProject(connections.control.store, project, signal);
    },
  };
};
