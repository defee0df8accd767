/** What must be true of a volume's directory before it counts as stopped: nobody uses it any more. */
import type { MountingContainer } from "../../adapters/docker-engine.ts";
import { TerminalError } from "../../volume/errors.ts";
import type { ProjectId, VolumeName } from "../../workflows/ids.ts";
import { isPart } from "../container-names.ts";
import type { NodePorts } from "../node-ports.ts";

interface VolumeOf {
  readonly project: ProjectId;
  readonly volume: VolumeName;
}

/** By what the kernel knows: no process has it open, mapped or mounted. */
export const refuseUsed = async (
  ports: Pick<NodePorts, "processesUsing">,
  volume: VolumeOf,
  directory: string,
): Promise<void> => {
  const using = await ports.processesUsing(directory);
  refuse(
    volume,
    using.map(({ pid, command, how }) => `process ${pid} (${command}, ${how})`),
  );
};

/** By what the engine knows: no container that runs has mounted one of the directories. */
export const refuseRunning = async (
  ports: { readonly docker: Pick<NodePorts["docker"], "containersMounting"> },
  volume: VolumeOf,
  directories: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  const mounting = await Promise.all(
    directories.map((directory) => ports.docker.containersMounting(directory, signal)),
  );
  const running = mounting
    .flat()
    .filter(({ state, labels }) => isActive(state) && !isPart(labels))
    .map(({ name }) => `container ${name}`);
  refuse(volume, [...new Set(running)]);
};

const isActive = (state: MountingContainer["state"]): boolean =>
  state === "running" || state === "paused";

const refuse = ({ project, volume }: VolumeOf, users: readonly string[]): void => {
  if (users.length === 0) return;
  throw new TerminalError(`volume ${volume} of ${project} is still in use by ${users.join(", ")}`, {
    code: "volume-busy",
    hint: "stop it, then deploy again",
  });
};
