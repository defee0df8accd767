/**
 * A Docker engine on a lab host: Debian's dockerd in the host's network namespace, with its own
 * data, socket and control group, so that several run side by side on one machine. There is no init
 * system and no registry in the lab: the engine is started by hand, its images come from images.ts.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Docker from "dockerode";
import { cgroupPids } from "./cgroups.ts";
import { runDirectory } from "./claims.ts";
import { tryCommand } from "./command.ts";
import { awaitDaemon, type DaemonSpec, startDaemon } from "./daemons.ts";
import type { LabHost } from "./network.ts";

export interface EngineSite {
  readonly id: string;
  readonly labDirectory: string;
  readonly host: LabHost;
}

const READY_TIMEOUT_MS = 60_000;
/** Containers' own addresses: the same on every node, and reachable from that node alone. */
const CONTAINER_GATEWAY = "172.30.0.1/24";

export const dockerSocket = ({ id, host }: EngineSite): string =>
  join(runDirectory(id), host.name, "docker.sock");

/** All containers of the node, and nothing else, are in this control group. */
export const engineCgroup = ({ host }: Pick<EngineSite, "host">): string => host.namespace;

/** Starts the engine and waits until it answers. What it stored before is still there. */
export const startDockerEngine = async (site: EngineSite, signal: AbortSignal): Promise<void> => {
  const run = join(runDirectory(site.id), site.host.name);
  const data = join(site.labDirectory, site.host.name, "docker");
  // As after a reboot: a killed engine leaves the pid files of what it had started.
  rmSync(run, { recursive: true, force: true });
  mkdirSync(run, { recursive: true });
  mkdirSync(data, { recursive: true });
  writeFileSync(join(run, "daemon.json"), "{}");
  const spec: DaemonSpec = {
    name: `docker-${site.host.name}`,
    namespace: site.host.namespace,
    labDirectory: site.labDirectory,
    argv: [
      "dockerd",
      ...["--config-file", join(run, "daemon.json")],
      ...["--data-root", data, "--exec-root", join(run, "exec")],
      ...["--pidfile", join(run, "docker.pid"), "--host", `unix://${dockerSocket(site)}`],
      ...["--storage-driver", await chooseStorageDriver(data, signal)],
      ...["--exec-opt", "native.cgroupdriver=cgroupfs"],
      ...["--cgroup-parent", `/${engineCgroup(site)}`],
      ...["--bip", CONTAINER_GATEWAY, "--log-level", "warn"],
    ],
  };
  startDaemon(spec);
  const docker = new Docker({ socketPath: dockerSocket(site) });
  await awaitDaemon(spec, () => docker.ping(), { timeoutMs: READY_TIMEOUT_MS, signal });
};

/** Pids of everything that runs in the node's containers, also when their engine is gone. */
export const containerPids = (host: LabHost): number[] => cgroupPids(engineCgroup({ host }));

/** overlay2 needs a file system that can be an overlay's upper layer; another overlay cannot. */
const chooseStorageDriver = async (data: string, signal: AbortSignal): Promise<string> => {
  const probe = join(data, "..", "overlay-probe");
  const [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map((name) =>
    join(probe, name),
  );
  for (const path of [lower, upper, work, merged]) mkdirSync(`${path}`, { recursive: true });
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  const mount = ["mount", "-t", "overlay", "overlay", "-o", options, `${merged}`] as const;
  const { exitCode } = await tryCommand([...mount], {}, signal);
  if (exitCode === 0) await tryCommand(["umount", `${merged}`], {}, signal);
  rmSync(probe, { recursive: true, force: true });
  return exitCode === 0 ? "overlay2" : "vfs";
};
