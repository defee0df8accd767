/** What a handler gets as its Lambda context where no Lambda is: a name, and no time limit. */
import { randomUUID } from "node:crypto";
import type { Context, SQSEvent } from "aws-lambda";

export const localContext = (functionName: string): Context => ({
  functionName,
  functionVersion: "local",
  invokedFunctionArn: `arn:local:${functionName}`,
  memoryLimitInMB: "0",
  awsRequestId: randomUUID(),
  logGroupName: functionName,
  logStreamName: functionName,
  callbackWaitsForEmptyEventLoop: false,
  getRemainingTimeInMillis: () => NO_LIMIT_MS,
  done: () => undefined,
  fail: () => undefined,
  succeed: () => undefined,
});

/** A message as a handler of a queue gets it, from whoever has it. */
export const localSqsEvent = (message: unknown): SQSEvent => ({
  Records: [
    {
      messageId: randomUUID(),
      receiptHandle: "",
      body: JSON.stringify(message),
      attributes: {
        ApproximateReceiveCount: "1",
        SentTimestamp: "0",
        SenderId: "local",
        ApproximateFirstReceiveTimestamp: "0",
      },
      messageAttributes: {},
      md5OfBody: "",
      eventSource: "local",
      eventSourceARN: "arn:local",
      awsRegion: "local",
    },
  ],
});

/** The longest delay that a timer knows; it is re-armed with each call. */
const NO_LIMIT_MS = 2 ** 31 - 1;
