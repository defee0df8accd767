/** The function as the node's runtime calls it, with the SQS event shape of a Lambda. */
import type { NodePorts } from "../node-ports.ts";
import { createStepHandler } from "../step-handler.ts";
import { createSnapshotVolume } from "./snapshot-volume.ts";

export const createHandler = (ports: NodePorts, processSignal?: AbortSignal) =>
  createStepHandler(createSnapshotVolume(ports), ports.log, processSignal);
