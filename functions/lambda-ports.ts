/**
 * The control functions' ports inside Lambda: made once per cold start from the environment, with the
 * secrets that the environment names (never holds) fetched from the Parameter Store.
 */
import { randomUUID } from "node:crypto";
import { GetParametersCommand, SSMClient } from "@aws-sdk/client-ssm";
import { systemClock } from "../adapters/clock.ts";
import { createEventSender } from "../adapters/event-sender.ts";
import { createGitOverHttp } from "../adapters/git-over-http.ts";
import { createLive, type KeyPair, type Live, unchanging } from "../adapters/live-keys.ts";
import { createLogger } from "../adapters/log.ts";
import { meterStore } from "../adapters/meter-store.ts";
import { openStore } from "../adapters/open-store.ts";
import { openProjectRecords } from "../adapters/project-records.ts";
import { rememberSnapshots } from "../adapters/remember-snapshots.ts";
import { connectSqs, openQueue, type Queue, sendMessage } from "../adapters/sqs.ts";
import { openTraces } from "../adapters/tracing/open-traces.ts";
import { type Config, readConfig } from "./config.ts";
import type { ControlPorts } from "./control-ports.ts";
import { createKnownSecrets, type KnownSecrets } from "./known-secrets.ts";
import { nameQueues } from "./messages.ts";
import type { LiveWrappingKeys } from "./project-keys.ts";
import type { SpaceKeys } from "./spaces/connect-spaces.ts";
import { traceAttributes, traceControl } from "./trace-ports.ts";

/** `BAGAGE_S3_SECRET_KEY_PARAMETER=/bagage/prod/secret` names where the value of the rest is. */
const PARAMETER_SUFFIX = "_PARAMETER";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment with the named parameters' values in it. */
export const fetchParameters = async (environment: Environment): Promise<Environment> => {
  const named = Object.entries(environment).flatMap(([key, name]) =>
    // Empty: this installation has none.
    key.startsWith("BAGAGE_") && key.endsWith(PARAMETER_SUFFIX) && (name ?? "") !== ""
      ? [{ key: key.slice(0, -PARAMETER_SUFFIX.length), name: name ?? "" }]
      : [],
  );
  if (named.length === 0) return environment;
  const client = new SSMClient({});
  const command = new GetParametersCommand({
    Names: [...new Set(named.map(({ name }) => name))],
    WithDecryption: true,
  });
  const { Parameters = [] } = await client.send(command);
  const values = named.map(({ key, name }) => {
    const value = Parameters.find((parameter) => parameter.Name === name)?.Value;
    if (value === undefined) throw new Error(`the Parameter Store has no ${name}, for ${key}`);
    return [key, value] as const;
  });
  return { ...environment, ...Object.fromEntries(values) };
};

export const connectLambda = async (environment: Environment): Promise<ControlPorts> =>
  (await openLambda(environment)).ports;

interface LambdaConnections {
  readonly config: Config;
  readonly ports: ControlPorts;
  readonly spaceKeys: SpaceKeys;
  readonly wrappingKeys: LiveWrappingKeys;
}

/** For a function that needs more than the ports: what it was told with them. */
export const openLambda = async (environment: Environment): Promise<LambdaConnections> => {
  const config = readConfig(await fetchParameters(environment));
  const secrets = createKnownSecrets(config);
  const live = liveParameters(environment, config, secrets);
  const traces = await openTraces(config.traces, {
    service: environment["AWS_LAMBDA_FUNCTION_NAME"] ?? "bagage",
    version: environment["AWS_LAMBDA_FUNCTION_VERSION"] ?? "",
    instance: environment["AWS_LAMBDA_LOG_STREAM_NAME"] ?? "",
    flushesAtOnce: true,
  });
  const opened = await openStore(config.store, { keys: live.store });
  const store = rememberSnapshots(
    traces === undefined ? opened : meterStore(opened, (call) => traces.storeCalled(call)),
  );
  const nowMs = () => systemClock.nowMs();
  const { endpoint, region, credentials, queuePrefix } = config.sqs;
  const nameQueue = nameQueues(queuePrefix);
  const client = connectSqs({
    region,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== null && { credentials }),
  });
  const queues = new Map<string, Promise<Queue>>();
  const open = (name: string, signal: AbortSignal): Promise<Queue> => {
    const known = queues.get(name) ?? openQueue({ client, queue: nameQueue(name) }, signal);
    queues.set(name, known);
    known.catch(() => queues.delete(name));
    return known;
  };
  const { collector } = config;
  const ports: ControlPorts = {
    store,
    ...(collector !== null && {
      collectorStore: await openStore(collector, { keys: live.collector }),
    }),
    records: openProjectRecords({ store, nowMs, newUuid: randomUUID }),
    git: createGitOverHttp({ policy: config.git }),
    send: async (name, message, signal) => {
      const attributes = traceAttributes(traces, message);
      await sendMessage(await open(name, signal), message, signal, attributes);
    },
    events: createEventSender(config.git),
    nowMs,
    newUuid: randomUUID,
    log: createLogger({ level: config.logLevel, name: "bagage", secrets: secrets.list }),
  };
  return {
    config,
    ports: traces === undefined ? ports : traceControl(ports, traces),
    spaceKeys: live,
    wrappingKeys: live.wrappingKeys,
  };
};

/** A key that was replaced in the Parameter Store is used after so long, or once the old one is refused. */
const PARAMETERS_EVERY_MS = 300_000;

/** Secrets that are parameters, followed while they are replaced there. */
const liveParameters = (environment: Environment, config: Config, secrets: KnownSecrets) => {
  const open = <T>(
    setting: string,
    pick: (config: Config) => T | null,
    onNew: (secret: T) => void,
  ): Live<T> | undefined => {
    const first = pick(config);
    if ((environment[`${setting}${PARAMETER_SUFFIX}`] ?? "") === "" || first === null) {
      return undefined;
    }
    const read = async (): Promise<T> => {
      const found = pick(readConfig(await fetchParameters(environment)));
      if (found === null) throw new Error(`the Parameter Store has no ${setting} any more`);
      return found;
    };
    return createLive({ first, read, everyMs: PARAMETERS_EVERY_MS, onNew });
  };
  const openKeys = (name: string, pick: (config: Config) => KeyPair | null) =>
    open(`BAGAGE_${name}_SECRET_KEY`, pick, secrets.addKeys);
  return {
    store: openKeys("S3", ({ store }) => store),
    collector: openKeys("COLLECTOR", ({ collector }) => collector),
    admin: openKeys("S3_ADMIN", ({ spaces }) => spaces.admin),
    publisher: openKeys("PUBLISHER", ({ spaces }) => spaces.publisher),
    wrappingKeys:
      open("BAGAGE_KEY", ({ wrappingKeys }) => wrappingKeys, secrets.addWrappingKeys) ??
      unchanging(config.wrappingKeys),
  };
};
