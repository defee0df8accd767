/**
 * What requests cost at AWS's list prices, us-east-1, without the free tier, as of November 2025:
 * S3 Standard, https://aws.amazon.com/s3/pricing/ ; SQS standard queues, https://aws.amazon.com/sqs/pricing/
 */
import { type Counts, total } from "./fleet-messages.ts";

const WRITES_PER_REQUEST = 0.005 / 1_000;
const READS_PER_REQUEST = 0.0004 / 1_000;
const SQS_PER_REQUEST = 0.4 / 1_000_000;
/** PUT, COPY, POST and LIST cost the one price, GET and HEAD the other; DELETE is free. */
const WRITES = ["put", "create", "list"];
const FREE = ["delete"];

export interface Cost {
  readonly storeUsd: number;
  readonly queuesUsd: number;
}

export const costOf = (store: Counts, queues: Counts): Cost => {
  const sum = (kinds: (kind: string) => boolean): number =>
    Object.entries(store).reduce((n, [kind, times]) => (kinds(kind) ? n + times : n), 0);
  const writes = sum((kind) => WRITES.includes(kind));
  const reads = sum((kind) => !WRITES.includes(kind) && !FREE.includes(kind));
  return {
    storeUsd: writes * WRITES_PER_REQUEST + reads * READS_PER_REQUEST,
    queuesUsd: total(queues) * SQS_PER_REQUEST,
  };
};
