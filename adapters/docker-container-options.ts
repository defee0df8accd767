/** A container's spec in the engine's words. Pure; what is left out here can't be turned on. */
import type { ContainerCreateOptions, MountPropagation } from "dockerode";
import type { Healthcheck } from "../workflows/container-spec.ts";
import type { ContainerRequest } from "./docker-engine.ts";

const NANOS_PER_MS = 1_000_000;
const NANOS_PER_CPU = 1_000_000_000;

export const containerOptions = (request: ContainerRequest): ContainerCreateOptions => {
  const { spec, network } = request;
  return {
    name: request.name,
    Image: request.imageId,
    Labels: { ...spec.labels, ...request.labels },
    Env: Object.entries(spec.environment).map(([name, value]) => `${name}=${value}`),
    ...(spec.command === undefined ? {} : { Cmd: [...spec.command] }),
    ...(spec.entrypoint === undefined ? {} : { Entrypoint: [...spec.entrypoint] }),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    ...(spec.healthcheck === undefined ? {} : { Healthcheck: healthOptions(spec.healthcheck) }),
    StopTimeout: Math.ceil(spec.stopGracePeriodMs / 1_000),
    HostConfig: {
      // Never `Binds`: with those a missing source becomes an empty directory instead of an error.
      Mounts: request.mounts.map(({ source, target, readOnly }) => ({
        Type: "bind",
        Source: source,
        Target: target,
        ReadOnly: readOnly,
        // Mounts that the container or the host makes later stay on their side.
        BindOptions: { Propagation: "rprivate" satisfies MountPropagation },
      })),
      // After a reboot the agent reads the record first; the engine must not start on its own.
      RestartPolicy: { Name: "no" },
      ...(network === undefined ? {} : { NetworkMode: network }),
      ...(spec.memLimitBytes === undefined ? {} : { Memory: spec.memLimitBytes }),
      ...(spec.cpus === undefined ? {} : { NanoCpus: Math.round(spec.cpus * NANOS_PER_CPU) }),
    },
  };
};

const healthOptions = (check: Healthcheck) => ({
  Test: [...check.test],
  Interval: check.intervalMs * NANOS_PER_MS,
  Timeout: check.timeoutMs * NANOS_PER_MS,
  StartPeriod: check.startPeriodMs * NANOS_PER_MS,
  Retries: check.retries,
});
