/** What a consumer does with a queue's messages: receive, hide, delete, and move dead letters. */
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
} from "@aws-sdk/client-sqs";
import { type Queue, sendBatch } from "./sqs.ts";
import { BATCH_MESSAGES_MAX, splitBatches } from "./sqs-batches.ts";
import { callSqs } from "./sqs-errors.ts";

const RECEIVE_MARGIN_S = 15;
const REDRIVE_WAIT_S = 1;

export interface ReceiveRequest {
  readonly messageCountMax: number;
  readonly waitTimeS: number;
  /** Default: as long as the queue says. */
  readonly hiddenForS?: number;
}

/** Long-polls once; at most 10 messages. Those without body or handle do not exist. */
export const receiveMessages = async (
  queue: Queue,
  request: ReceiveRequest,
  signal: AbortSignal,
): Promise<Message[]> => {
  const { Messages = [] } = await callSqs(
    `receive from ${queue.name}`,
    signal,
    (options) =>
      queue.client.send(
        new ReceiveMessageCommand({
          QueueUrl: queue.url,
          MaxNumberOfMessages: Math.min(request.messageCountMax, BATCH_MESSAGES_MAX),
          WaitTimeSeconds: request.waitTimeS,
          VisibilityTimeout: request.hiddenForS,
          MessageSystemAttributeNames: ["All"],
          MessageAttributeNames: ["All"],
        }),
        options,
      ),
    (request.waitTimeS + RECEIVE_MARGIN_S) * 1_000,
  );
  return Messages;
};

/** What could not be deleted comes again, which every consumer must bear anyway. */
export const deleteMessages = async (
  queue: Queue,
  handles: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  if (handles.length === 0) return;
  const Entries = handles.map((handle, index) => ({ Id: `${index}`, ReceiptHandle: handle }));
  await callSqs(`delete from ${queue.name}`, signal, (options) =>
    queue.client.send(new DeleteMessageBatchCommand({ QueueUrl: queue.url, Entries }), options),
  );
};

/** Hides messages for so long from now on; 0 hands them back at once. */
export const hideMessages = async (
  queue: Queue,
  messages: readonly { readonly handle: string; readonly forS: number }[],
  signal: AbortSignal,
): Promise<void> => {
  if (messages.length === 0) return;
  const Entries = messages.map(({ handle, forS }, index) => ({
    Id: `${index}`,
    ReceiptHandle: handle,
    VisibilityTimeout: forS,
  }));
  await callSqs(`change visibility in ${queue.name}`, signal, (options) =>
    queue.client.send(
      new ChangeMessageVisibilityBatchCommand({ QueueUrl: queue.url, Entries }),
      options,
    ),
  );
};

/**
 * Moves messages from one queue (its dead letters) to another, body by body; resolves with how many.
 * Stops when none come any more. A crash in between leaves a message in both: messages may repeat.
 */
export const redriveMessages = async (
  request: { readonly from: Queue; readonly to: Queue; readonly messageCountMax: number },
  signal: AbortSignal,
): Promise<number> => {
  const { from, to, messageCountMax } = request;
  let moved = 0;
  while (moved < messageCountMax) {
    const wanted = { messageCountMax: messageCountMax - moved, waitTimeS: REDRIVE_WAIT_S };
    const messages = await receiveMessages(from, wanted, signal);
    if (messages.length === 0) break;
    for (const batch of splitBatches(messages.map(({ Body }) => Body ?? ""))) {
      await sendBatch(to, batch, signal);
    }
    const handles = messages.flatMap(({ ReceiptHandle }) => ReceiptHandle ?? []);
    await deleteMessages(from, handles, signal);
    moved += messages.length;
  }
  return moved;
};
