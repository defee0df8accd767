/** Names and labels of our containers. The name carries the epoch: two epochs never share one. */
import * as z from "zod";
import { ContainerName, Epoch, ProjectId } from "../workflows/ids.ts";

const PROJECT = "bagage.project";
const CONTAINER = "bagage.container";
const EPOCH = "bagage.epoch";
const NODE = "bagage.node";
const MEMORY = "bagage.memory";
/** On the containers that the agent and its guard run in themselves (infra/compose.yml). */
const PART = "bagage.part";

export const containerName = (project: string, container: string, epoch: number): string =>
  `bagage-${project}-${container}-e${epoch}`;

export interface LabelledContainer {
  readonly node: string;
  readonly project: string;
  readonly container: string;
  readonly epoch: number;
  readonly memLimitBytes: number | undefined;
}

export const containerLabels = ({
  node,
  project,
  container,
  epoch,
  memLimitBytes,
}: LabelledContainer): Record<string, string> => ({
  [NODE]: node,
  [PROJECT]: project,
  [CONTAINER]: container,
  [EPOCH]: String(epoch),
  ...(memLimitBytes !== undefined && { [MEMORY]: String(memLimitBytes) }),
});

/** The memory limit that a container of ours was made with; 0: none, or not ours. */
export const memoryOf = (labels: Readonly<Record<string, string>>): number =>
  MemoryLabel.parse(labels[MEMORY]);

/** The agent's own container or its guard's: they have all volumes mounted, and write as the agent does. */
export const isPart = (labels: Readonly<Record<string, string>>): boolean =>
  labels[PART] !== undefined;

const MemoryLabel = z.coerce.number().pipe(z.int().nonnegative()).catch(0);

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
