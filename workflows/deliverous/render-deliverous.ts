/** Writes a project back as a Deliverous file, every default spelled out; parses to the same project. */
import { stringify } from "yaml";
import type {
  ContainerSpec,
  Domain,
  ProjectSpec,
  VolumeMount,
  VolumeSettings,
} from "../container-spec.ts";
import type { ContainerName } from "../ids.ts";
import { keysOf } from "../keys-of.ts";
import { renderConstraint } from "./constraints.ts";
import { escapeDollars } from "./expand-dollars.ts";
import { renderDuration } from "./quantities.ts";

/** A volume's settings stand in its first mention; a command to run, where it is to be run. */
export const renderDeliverous = (spec: ProjectSpec): string => {
  const mentioned = new Set<string>();
  const file: Record<string, unknown> = {};
  for (const name of keysOf(spec.containers)) {
    const container = spec.containers[name];
    if (container === undefined) continue;
    const volumes = container.volumes.map((mount) => {
      const settings = spec.volumes[mount.name];
      const isFirst = !mentioned.has(mount.name);
      mentioned.add(mount.name);
      return {
        name: mount.name,
        path: mount.path,
        ...(mount.readOnly && { read_only: true }),
        ...(isFirst && settings !== undefined && toSettings(settings)),
        ...toCommands(name, mount, settings),
      };
    });
    file[name] = { ...toEntry(container), ...(volumes.length > 0 && { volumes }) };
  }
  return stringify(escapeAll(file), {
    lineWidth: 0,
    defaultStringType: "QUOTE_DOUBLE",
    defaultKeyType: "PLAIN",
  });
};

const toEntry = (container: ContainerSpec): Record<string, unknown> => {
  const { image, command, entrypoint, user, healthcheck, memLimitBytes, cpus } = container;
  const { domains, holdMs } = container;
  const constraints = container.constraints.map(renderConstraint);
  return {
    image,
    ...(entrypoint !== undefined && { entrypoint }),
    ...(command !== undefined && { command }),
    environment: container.environment,
    ports: container.ports.map(({ hostPort, containerPort }) => `${hostPort}:${containerPort}`),
    ...(domains !== undefined && { domains: domains.map(renderDomain) }),
    ...(holdMs !== undefined && { hold: renderDuration(holdMs) }),
    ...(user !== undefined && { user }),
    ...(healthcheck !== undefined && {
      healthcheck: {
        test: healthcheck.test,
        interval: renderDuration(healthcheck.intervalMs),
        timeout: renderDuration(healthcheck.timeoutMs),
        retries: healthcheck.retries,
        start_period: renderDuration(healthcheck.startPeriodMs),
      },
    }),
    stop_grace_period: renderDuration(container.stopGracePeriodMs),
    labels: container.labels,
    ...(memLimitBytes !== undefined && { mem_limit: memLimitBytes }),
    ...(cpus !== undefined && { cpus }),
    ...(container.s3 === true && { s3: true }),
    ...(constraints.length > 0 && { deploy: { placement: { constraints } } }),
  };
};

const renderDomain = ({ host, path, containerPort }: Domain): Record<string, unknown> => ({
  domain: path === "/" ? host : `${host}${path}`,
  port: containerPort,
});

const toSettings = (settings: VolumeSettings): Record<string, unknown> => {
  const { onNodeLoss, maxPauseMs, snapshotEveryMs, keep, publish, from, standby } = settings;
  return {
    on_node_loss: onNodeLoss,
    ...(maxPauseMs !== undefined && { max_pause: renderDuration(maxPauseMs) }),
    ...(snapshotEveryMs !== undefined && { snapshot: `every ${renderDuration(snapshotEveryMs)}` }),
    ...(keep !== undefined && { keep }),
    ...(publish !== undefined && { publish }),
    ...(from !== undefined && { from }),
    ...(standby !== undefined && { standby }),
  };
};

/** They are run in the container that asked for them, which writes the volume. */
const toCommands = (
  container: ContainerName,
  mount: VolumeMount,
  settings: VolumeSettings | undefined,
): Record<string, unknown> => {
  if (settings === undefined || mount.readOnly) return {};
  const { beforeSnapshot, beforeSnapshotIn, beforeCopy, beforeCopyIn } = settings;
  return {
    ...(beforeSnapshotIn === container && { before_snapshot: beforeSnapshot }),
    ...(beforeCopyIn === container && { before_copy: beforeCopy }),
  };
};

const escapeAll = (value: unknown): unknown => {
  if (typeof value === "string") return escapeDollars(value);
  if (Array.isArray(value)) return value.map(escapeAll);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, escapeAll(inner)]));
};
