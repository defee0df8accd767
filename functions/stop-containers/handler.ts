/** The function as the node's runtime calls it, with the SQS event shape of a Lambda. */
import type { NodePorts } from "../node-ports.ts";
import { createStepHandler } from "../step-handler.ts";
import { createStopContainers } from "./stop-containers.ts";

export const createHandler = (ports: NodePorts, processSignal?: AbortSignal) =>
  createStepHandler(createStopContainers(ports), ports.log, processSignal);
