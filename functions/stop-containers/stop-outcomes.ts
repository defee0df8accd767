/** How containers stopped, kept on the node's disk until the step is reported. */
import { join } from "node:path";
import * as z from "zod";
import { readJsonFile, writeFileDurably } from "../../adapters/durable-file.ts";
import { ContainerOutcome } from "../../workflows/deploy/container-outcome.ts";
import { ContainerName, type DeployId, type ProjectId } from "../../workflows/ids.ts";

const Outcomes = z.record(ContainerName, ContainerOutcome);
type Outcomes = z.infer<typeof Outcomes>;

const pathOf = (root: string, project: ProjectId, deploy: DeployId, step: string): string =>
  join(root, "stops", project, `${deploy}.${step}.json`);

export const readOutcomes = async (
  root: string,
  project: ProjectId,
  deploy: DeployId,
  step: string,
): Promise<Outcomes> => (await readJsonFile(pathOf(root, project, deploy, step), Outcomes)) ?? {};

export const writeOutcomes = (
  root: string,
  project: ProjectId,
  deploy: DeployId,
  step: string,
  outcomes: Outcomes,
): Promise<void> => writeFileDurably(pathOf(root, project, deploy, step), JSON.stringify(outcomes));
