/**
 * A batch handler that fails message by message. A message must not be parsed before its own turn:
 * what throws outside a record's handler would bring the whole batch back.
 */
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";

export const sqsBatch =
  (handleRecord: (record: SQSRecord) => Promise<void>, onFailed?: (error: unknown) => void) =>
  async (event: SQSEvent): Promise<SQSBatchResponse> => {
    // The inner async turns a synchronous throw into the failure of one record.
    const outcomes = await Promise.allSettled(
      event.Records.map(async (record) => handleRecord(record)),
    );
    for (const outcome of outcomes) if (outcome.status === "rejected") onFailed?.(outcome.reason);
    return {
      batchItemFailures: event.Records.filter((_, i) => outcomes[i]?.status === "rejected").map(
        ({ messageId }) => ({ itemIdentifier: messageId }),
      ),
    };
  };
