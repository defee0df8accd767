/**
 * A container that its engine was killed in the middle of starting can't be started any more, but one
 * like it can: it is removed, and the next attempt makes it anew. Not while a process has the data
 * open, which may be the container's own, started without the engine's knowing.
 */
import type { NodePorts } from "../node-ports.ts";

export const dropLeftover = async (
  { docker, processesUsing }: LeftoverPorts,
  name: string,
  directories: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  for (const directory of directories) {
    if ((await processesUsing(directory)).length > 0) return;
  }
  await docker.removeContainer(name, signal);
};

export interface LeftoverPorts extends Pick<NodePorts, "processesUsing"> {
  readonly docker: Pick<NodePorts["docker"], "removeContainer">;
}
