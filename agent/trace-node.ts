/** A node's ports with a span for each part of a step that takes time: engine, Docker, health, gates. */
import type { DockerEngine } from "../adapters/docker-engine.ts";
import type { Traces } from "../adapters/tracing/traces.ts";
import type { VolumeEngine } from "../functions/node-ports.ts";
import type { AgentPorts } from "./reconcile-project.ts";

export const traceNode = (ports: AgentPorts, traces: Traces): AgentPorts => ({
  ...ports,
  traces,
  volumes: traceVolumes(ports.volumes, traces),
  docker: traceDocker(ports.docker, traces),
  gates: {
    ...ports.gates,
    drain: (project, container, graceMs) =>
      traces.part("drain gate", { "bagage.container": container }, () =>
        ports.gates.drain(project, container, graceMs),
      ),
    open: (gate) =>
      traces.part(
        "open gate",
        { "bagage.container": gate.container, "bagage.epoch": gate.epoch },
        () => ports.gates.open(gate),
      ),
  },
  waitHealthy: (name, spec, timeoutMs, signal) =>
    traces.part("wait for health", { "container.name": name }, async (note) => {
      const health = await ports.waitHealthy(name, spec, timeoutMs, signal);
      note({ "bagage.healthy": health.healthy });
      return health;
    }),
});

const traceVolumes = (engine: VolumeEngine, traces: Traces): VolumeEngine => ({
  ...engine,
  writeSnapshot: (request, signal) => {
    const { prefix, snapshotId, epoch } = request;
    const of = { "bagage.volume": prefix, "bagage.snapshot": snapshotId, "bagage.epoch": epoch };
    return traces.part("write snapshot", of, async (note) => {
      const summary = await engine.writeSnapshot(request, signal);
      note({
        "bagage.bytes": summary.bytes,
        "bagage.changed_bytes": summary.changedBytes,
        "bagage.stored_bytes": summary.storedBytes,
        "bagage.files": summary.files,
      });
      return summary;
    });
  },
  hydrate: (request, signal) => {
    const of = { "bagage.volume": request.prefix, "bagage.snapshot": request.snapshotId };
    return traces.part("hydrate", of, async (note) => {
      const result = await engine.hydrate(request, signal);
      note({
        "bagage.bytes": result.bytes,
        "bagage.fetched_bytes": result.fetchedBytes,
        "bagage.reused_bytes": result.reusedBytes,
        "bagage.files": result.files,
      });
      return result;
    });
  },
});

const traceDocker = (docker: DockerEngine, traces: Traces): DockerEngine => ({
  ...docker,
  ensureImage: (request, signal) =>
    traces.part("ensure image", { "container.image.name": request.reference }, () =>
      docker.ensureImage(request, signal),
    ),
  createContainer: (request, signal) =>
    traces.part("create container", { "container.name": request.name }, () =>
      docker.createContainer(request, signal),
    ),
  startContainer: (name, signal) =>
    traces.part("start container", { "container.name": name }, () =>
      docker.startContainer(name, signal),
    ),
  stopContainer: (name, graceMs, signal) =>
    traces.part("stop container", { "container.name": name }, async (note) => {
      const outcome = await docker.stopContainer(name, graceMs, signal);
      note({ "bagage.stopped": outcome.stopped });
      return outcome;
    }),
});
