/** How messages are written, and how many of them fit in one call. */
import { TerminalError } from "../volume/errors.ts";

/** Of one message, and of all messages of one call: what AWS took for years, and brokers still do. */
export const MESSAGE_BYTES_MAX = 256 * 1024;
export const BATCH_MESSAGES_MAX = 10;

/** ASCII alone: SQS refuses some characters, and brokers disagree about others. */
export const encodeBody = (body: unknown): string =>
  JSON.stringify(body).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** At most 10 messages and 256 KiB a call, in order. */
export const splitBatches = (texts: readonly string[]): string[][] => {
  const batches: string[][] = [];
  let batch: string[] = [];
  let batchBytes = 0;
  for (const text of texts) {
    const bytes = Buffer.byteLength(text);
    if (bytes > MESSAGE_BYTES_MAX) {
      throw new TerminalError(`a message of ${bytes} bytes is too large for a queue`, {
        code: "message-too-large",
        hint: "messages carry ids; what is larger belongs into the store",
      });
    }
    if (batch.length === BATCH_MESSAGES_MAX || batchBytes + bytes > MESSAGE_BYTES_MAX) {
      batches.push(batch);
      batch = [];
      batchBytes = 0;
    }
    batch.push(text);
    batchBytes += bytes;
  }
  return batch.length === 0 ? batches : [...batches, batch];
};
