/** A node function as a Lambda-shaped handler of its queue: SQS events in, partial failures out. */
import middy from "@middy/core";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import type { Logger } from "pino";
import { StepMessage } from "./messages.ts";
import { sqsBatch } from "./sqs-batch.ts";

export type PerformStep = (message: StepMessage, signal: AbortSignal) => Promise<void>;

/** `processSignal` ends the work with its process; Lambda's own time-out ends it too. */
export const createStepHandler = (
  perform: PerformStep,
  log: Logger,
  processSignal: AbortSignal = new AbortController().signal,
) =>
  middy<SQSEvent, SQSBatchResponse>().handler((event, _context, { signal }) =>
    sqsBatch(
      (record) =>
        perform(
          StepMessage.parse(JSON.parse(record.body)),
          AbortSignal.any([signal, processSignal]),
        ),
      (error) => log.error({ err: error }, "message.failed"),
    )(event),
  );
