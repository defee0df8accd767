/** The publish queue's handler, the same under Lambda and under the local runtime. */
import middy from "@middy/core";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { VolumePublish } from "../messages.ts";
import { sqsBatch } from "../sqs-batch.ts";
import { traceRecord } from "../trace-ports.ts";
import type { PublishPorts } from "./publish-turn.ts";
import { publishVolume } from "./publish-volume.ts";

export const createHandler = (
  ports: PublishPorts,
  processSignal: AbortSignal = new AbortController().signal,
) =>
  middy<SQSEvent, SQSBatchResponse>().handler((event, _context, { signal }) =>
    sqsBatch(
      (record) =>
        traceRecord(ports.traces, "publish-volume", record, async () => {
          const { project, volume } = VolumePublish.parse(JSON.parse(record.body));
          await publishVolume(ports, project, volume, AbortSignal.any([signal, processSignal]));
        }),
      (error) => ports.log.error({ err: error }, "publish.failed"),
    )(event),
  );
