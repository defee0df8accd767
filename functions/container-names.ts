/** Names and labels of our containers. The name carries the epoch: two epochs never share one. */
import * as z from "zod";
import { ContainerName, Epoch, ProjectId } from "../workflows/ids.ts";

const PROJECT = "bagage.project";
const CONTAINER = "bagage.container";
const EPOCH = "bagage.epoch";
const NODE = "bagage.node";

export const containerName = (project: string, container: string, epoch: number): string =>
  `bagage-${project}-${container}-e${epoch}`;

export const containerLabels = (
  node: string,
  project: string,
  container: string,
  epoch: number,
): Record<string, string> => ({
  [NODE]: node,
  [PROJECT]: project,
  [CONTAINER]: container,
  [EPOCH]: String(epoch),
});

/** Selects this node's containers; two nodes may share one Docker engine. */
export const nodeLabels = (node: string, project?: string): Record<string, string> => ({
  [NODE]: node,
  ...(project !== undefined && { [PROJECT]: project }),
});

const Labels = z.object({
  [PROJECT]: ProjectId,
  [CONTAINER]: ContainerName,
  [EPOCH]: z.coerce.number().pipe(Epoch),
});

export interface OurContainer {
  readonly project: ProjectId;
  readonly container: ContainerName;
  readonly epoch: Epoch;
}

/** What the labels say, or null for a container that is not ours. */
export const parseLabels = (labels: Readonly<Record<string, string>>): OurContainer | null => {
  const parsed = Labels.safeParse(labels);
  return parsed.success
    ? {
        project: parsed.data[PROJECT],
        container: parsed.data[CONTAINER],
        epoch: parsed.data[EPOCH],
      }
    : null;
};
