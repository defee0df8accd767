/** Which projects a node has to do with. */
import pLimit from "p-limit";
import { PROJECTS_PREFIX } from "../adapters/store-keys.ts";
import { type NodeId, ProjectId } from "../workflows/ids.ts";
import type { ProjectState } from "../workflows/record.ts";
import type { ControlPorts } from "./control-ports.ts";

const READS_AT_ONCE = 16;

/**
 * The projects that run or begin on the node, or own a volume there, as their records say: a node's
 * own last words may be older than what it was given since. Reads each project's record.
 */
export const projectsOn = async (
  { store, records }: Pick<ControlPorts, "store" | "records">,
  node: NodeId,
  signal: AbortSignal,
): Promise<ProjectState[]> => {
  const limit = pLimit(READS_AT_ONCE);
  const names = await store.listFolders(PROJECTS_PREFIX, signal);
  const projects = names.flatMap((name) => ProjectId.safeParse(name).data ?? []);
  const loaded = await Promise.all(
    projects.map((project) => limit(() => records.load(project, signal))),
  );
  return loaded.flatMap((found) =>
    found !== null && isOn(found.state, node) ? [found.state] : [],
  );
};

const isOn = ({ containers, volumes, deploy }: ProjectState, node: NodeId): boolean =>
  Object.values(containers).some((container) => container.node === node) ||
  Object.values(volumes).some(({ owner }) => owner === node) ||
  Object.values(deploy?.containers ?? {}).some(({ to }) => to?.node === node);
