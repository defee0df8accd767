/**
 * A container that its engine was killed in the middle of starting can't be started any more, but one
 * like it can: what is left of it is ended and removed, and the next attempt makes it anew. Not while
 * another process has the data open.
 */
import type { NodePorts } from "../node-ports.ts";

export const dropLeftover = async (
  { docker, processesUsing }: LeftoverPorts,
  name: string,
  directories: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  await docker.stopContainer(name, 0, signal);
  for (const directory of directories) {
    if ((await processesUsing(directory)).length > 0) return;
  }
  await docker.removeContainer(name, signal);
};

export interface LeftoverPorts extends Pick<NodePorts, "processesUsing"> {
  readonly docker: Pick<NodePorts["docker"], "stopContainer" | "removeContainer">;
}
