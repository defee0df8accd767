/** The control queue's handler, the same under Lambda and under the local runtime. */
import middy from "@middy/core";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import type { ControlPorts } from "../control-ports.ts";
import { sqsBatch } from "../sqs-batch.ts";
import { traceRecord } from "../trace-ports.ts";
import { createHandleControlMessage } from "./handle-control-message.ts";

/** `processSignal` ends the work with its process; Lambda's own time-out ends it too. */
export const createHandler = (
  ports: ControlPorts,
  processSignal: AbortSignal = new AbortController().signal,
) => {
  const handleMessage = createHandleControlMessage(ports);
  return middy<SQSEvent, SQSBatchResponse>().handler((event, _context, { signal }) =>
    sqsBatch(
      (record) =>
        traceRecord(ports.traces, "advance-deploy", record, () =>
          handleMessage(record, AbortSignal.any([signal, processSignal])),
        ),
      (error) => ports.log.error({ err: error }, "message.failed"),
    )(event),
  );
};
