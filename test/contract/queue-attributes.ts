/** What traces and metrics need of a broker: attributes beside a message, and calls that are counted. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { connectSqs, openQueue, type SqsSettings, sendMessage } from "../../adapters/sqs.ts";
import { receiveMessages } from "../../adapters/sqs-messages.ts";

export const describeAttributes = (settings: () => SqsSettings): void => {
  test("a message's attributes arrive beside it, and each request is counted", async () => {
    const signal = AbortSignal.timeout(60_000);
    const actions: string[] = [];
    const client = connectSqs({ ...settings(), onCall: (action) => actions.push(action) });
    const queue = await openQueue({ client, queue: `test-${randomUUID()}`, create: true }, signal);
    await sendMessage(queue, { n: 1 }, signal, { traceparent: "00-1-2-01" });
    const messages = await receiveMessages(queue, { messageCountMax: 1, waitTimeS: 20 }, signal);
    expect(messages).toMatchObject([
      {
        Body: '{"n":1}',
        MessageAttributes: { traceparent: { DataType: "String", StringValue: "00-1-2-01" } },
      },
    ]);
    expect(actions.slice(-2)).toEqual(["SendMessageBatch", "ReceiveMessage"]);
  });
};
