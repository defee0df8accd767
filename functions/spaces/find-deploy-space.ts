/** The bucket that a running deploy works with. */
import type { DeployId, ProjectId } from "../../workflows/ids.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { NodePorts } from "../node-ports.ts";
import { findSpace, type Space } from "./space.ts";

/** Deploys, by their project, that found no bucket: they do without one to their end, and ask no more. */
export type DeploysWithoutSpace = Map<ProjectId, DeployId>;

export const findDeploySpace = async (
  ports: Pick<NodePorts, "store" | "withoutSpace">,
  { project, deploy }: Pick<ProjectState, "project" | "deploy">,
  signal: AbortSignal,
): Promise<Space | null> => {
  const { withoutSpace } = ports;
  if (deploy !== null && withoutSpace?.get(project) === deploy.id) return null;
  const space = await findSpace(ports, project, signal);
  if (space === null && deploy !== null) withoutSpace?.set(project, deploy.id);
  return space;
};
