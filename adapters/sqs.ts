/**
 * Queues: AWS SQS, or what speaks its protocol. Their messages are hints: they may be lost, repeated
 * and reordered. Consumers are in sqs-consumer.ts.
 */
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  SendMessageBatchCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { RetryableError, TerminalError } from "../volume/errors.ts";
import type { LiveKeys } from "./live-keys.ts";
import { credentialsOf, followKeys } from "./refused-keys.ts";
import { encodeBody, splitBatches } from "./sqs-batches.ts";
import { callSqs } from "./sqs-errors.ts";

export interface SqsSettings {
  /** For anything but AWS itself. */
  readonly endpoint?: string;
  readonly region: string;
  /** Default: the AWS SDK's own chain (environment, instance role, …). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Hears of each request that goes out, retries included, by its action: `ReceiveMessage`. */
  readonly onCall?: (action: string) => void;
  /** Asked with each request, in place of the credentials. */
  readonly liveKeys?: LiveKeys | undefined;
}

export interface Queue {
  readonly client: SQSClient;
  readonly name: string;
  readonly url: string;
  readonly arn: string;
  readonly region: string;
  /** How long a received message stays hidden unless that is extended. */
  readonly visibilityTimeoutS: number;
  /** Makes it again after its broker forgot it; absent where whoever opened it may not. Idempotent. */
  readonly makeAgain?: (signal: AbortSignal) => Promise<void>;
}

export interface QueueRequest {
  readonly client: SQSClient;
  /** A name, or the URL of an existing queue. */
  readonly queue: string;
  /** Makes the queue, and its dead-letter queue, when they are missing. */
  readonly create?: boolean;
  /** For a queue that is made here, and set on one that exists when `create` is given. */
  readonly visibilityTimeoutS?: number;
  /** Messages that were received so often go to `<name>-dead`. */
  readonly deadLetterQueue?: { readonly maxReceiveCount: number };
}

const SEND_ATTEMPTS_MAX = 3;
const VISIBILITY_TIMEOUT_S = 30;
/** Hints that are older are repeated by the sweep anyway; dead letters wait for a person. */
const DEAD_RETENTION_S = 14 * 24 * 3600;

export const connectSqs = (settings: SqsSettings): SQSClient => {
  const { region, endpoint, credentials, liveKeys, onCall } = settings;
  const given = liveKeys === undefined ? credentials : credentialsOf(liveKeys);
  const client = new SQSClient({
    region,
    ...(given !== undefined && { credentials: given }),
    // Brokers behind an endpoint name their queues by addresses that only they may know.
    ...(endpoint !== undefined && { endpoint, useQueueUrlAsEndpoint: false }),
  });
  followKeys(client, liveKeys);
  if (onCall === undefined) return client;
  // Below the SDK's retries, which stand in the same step with a higher priority.
  client.middlewareStack.add(
    (next, { commandName = "unknown" }) =>
      (args) => {
        onCall(commandName.replace(/Command$/, ""));
        return next(args);
      },
    { step: "finalizeRequest", priority: "low", name: "countCalls" },
  );
  return client;
};

/** Finds the queue, or makes it; idempotent. TerminalError `queue-missing` when it may not. */
export const openQueue = async (request: QueueRequest, signal: AbortSignal): Promise<Queue> => {
  const { client, queue } = request;
  const isUrl = /^https?:\/\//.test(queue);
  const name = isUrl ? (queue.split("/").at(-1) ?? queue) : queue;
  const url = isUrl
    ? queue
    : ((await findUrl(client, name, signal)) ?? (await createQueue(request, name, signal)));
  if (request.create === true) await configure(request, name, url, signal);
  const attributes = await readAttributes(client, url, signal);
  const arn = attributes["QueueArn"] ?? "";
  return {
    client,
    name,
    url,
    arn,
    region: arn.split(":")[3] ?? "",
    visibilityTimeoutS: Number(attributes["VisibilityTimeout"] ?? VISIBILITY_TIMEOUT_S),
    ...(request.create === true && {
      makeAgain: async (again) => {
        await openQueue(request, again);
      },
    }),
  };
};

const findUrl = async (
  client: SQSClient,
  name: string,
  signal: AbortSignal,
): Promise<string | null> => {
  try {
    const answer = await callSqs(`find queue ${name}`, signal, (options) =>
      client.send(new GetQueueUrlCommand({ QueueName: name }), options),
    );
    return answer.QueueUrl ?? null;
  } catch (error) {
    if (isForgotten(error)) return null;
    throw error;
  }
};

const createQueue = async (
  { client, create }: QueueRequest,
  name: string,
  signal: AbortSignal,
): Promise<string> => {
  if (create !== true) {
    throw new TerminalError(`there is no queue ${name}`, {
      code: "queue-missing",
      hint: "deploy the queues first, or check the region and the endpoint",
    });
  }
  // Without attributes: two makers that want different ones would fail, `configure` settles it.
  const { QueueUrl } = await callSqs(`create queue ${name}`, signal, (options) =>
    client.send(new CreateQueueCommand({ QueueName: name }), options),
  );
  if (QueueUrl === undefined) throw new RetryableError("no queue URL", { code: "sqs-failed" });
  return QueueUrl;
};

const configure = async (
  request: QueueRequest,
  name: string,
  url: string,
  signal: AbortSignal,
): Promise<void> => {
  const { client, visibilityTimeoutS, deadLetterQueue } = request;
  const attributes: Record<string, string> = {};
  if (visibilityTimeoutS !== undefined) {
    attributes["VisibilityTimeout"] = String(visibilityTimeoutS);
  }
  if (deadLetterQueue !== undefined) {
    const deadName = deadLetterName(name);
    const deadUrl =
      (await findUrl(client, deadName, signal)) ?? (await createQueue(request, deadName, signal));
    await setAttributes(client, deadUrl, { MessageRetentionPeriod: `${DEAD_RETENTION_S}` }, signal);
    const { QueueArn } = await readAttributes(client, deadUrl, signal);
    attributes["RedrivePolicy"] = JSON.stringify({
      deadLetterTargetArn: QueueArn,
      maxReceiveCount: deadLetterQueue.maxReceiveCount,
    });
  }
  if (Object.keys(attributes).length > 0) await setAttributes(client, url, attributes, signal);
};

export const deadLetterName = (queueName: string): string => `${queueName}-dead`;

const setAttributes = (
  client: SQSClient,
  url: string,
  attributes: Record<string, string>,
  signal: AbortSignal,
): Promise<unknown> =>
  callSqs(`configure ${url}`, signal, (options) =>
    client.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: attributes }), options),
  );

const readAttributes = async (
  client: SQSClient,
  url: string,
  signal: AbortSignal,
): Promise<Record<string, string>> => {
  const { Attributes } = await callSqs(`read attributes of ${url}`, signal, (options) =>
    client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["All"] }), options),
  );
  return Attributes ?? {};
};

/** Estimates, as the broker gives them. */
export const countMessages = async (queue: Queue, signal: AbortSignal) => {
  const attributes = await readAttributes(queue.client, queue.url, signal);
  return {
    visible: Number(attributes["ApproximateNumberOfMessages"] ?? 0),
    inFlight: Number(attributes["ApproximateNumberOfMessagesNotVisible"] ?? 0),
    delayed: Number(attributes["ApproximateNumberOfMessagesDelayed"] ?? 0),
  };
};

/**
 * Sends one JSON message, with attributes beside it; `message-too-large` above 256 KiB. A repeat after
 * an error is harmless.
 */
export const sendMessage = async (
  queue: Queue,
  body: unknown,
  signal: AbortSignal,
  attributes: Readonly<Record<string, string>> = {},
): Promise<void> => {
  for (const batch of splitBatches([encodeBody(body)])) {
    await deliver(queue, batch, signal, attributes);
  }
};

/** Sends any number of JSON messages in as few calls as they fit in. */
export const sendMessages = async (
  queue: Queue,
  bodies: readonly unknown[],
  signal: AbortSignal,
): Promise<void> => {
  for (const batch of splitBatches(bodies.map(encodeBody))) {
    await deliver(queue, batch, signal);
  }
};

/** Sends one batch that fits, once more where the broker had forgotten the queue. */
const deliver: typeof sendBatch = async (queue, batch, signal, attributes) => {
  await sendBatch(queue, batch, signal, attributes).catch(async (error: unknown) => {
    if (!isForgotten(error) || queue.makeAgain === undefined) throw error;
    await queue.makeAgain(signal);
    await sendBatch(queue, batch, signal, attributes);
  });
};

/** A broker that keeps its queues in memory began anew. */
export const isForgotten = (error: unknown): boolean =>
  error instanceof TerminalError && error.code === "queue-missing";

/** Sends one batch that fits; what the broker refused for its own reasons is tried again. */
export const sendBatch = async (
  queue: Queue,
  texts: readonly string[],
  signal: AbortSignal,
  attributes: Readonly<Record<string, string>> = {},
): Promise<void> => {
  const MessageAttributes = Object.fromEntries(
    Object.entries(attributes).map(([name, StringValue]) => [
      name,
      { DataType: "String", StringValue },
    ]),
  );
  let entries = texts.map((text, index) => ({
    Id: String(index),
    MessageBody: text,
    ...(Object.keys(attributes).length > 0 && { MessageAttributes }),
  }));
  for (let attempt = 1; entries.length > 0; attempt += 1) {
    const { Failed = [] } = await callSqs(`send to ${queue.name}`, signal, (options) =>
      queue.client.send(
        new SendMessageBatchCommand({ QueueUrl: queue.url, Entries: entries }),
        options,
      ),
    );
    const fault = Failed.find(({ SenderFault }) => SenderFault === true);
    if (fault !== undefined || (Failed.length > 0 && attempt === SEND_ATTEMPTS_MAX)) {
      const message = `${queue.name} took ${entries.length - Failed.length} of ${entries.length}`;
      const details = { code: "send-failed", data: { failed: Failed } };
      throw fault === undefined
        ? new RetryableError(message, details)
        : new TerminalError(message, details);
    }
    const failedIds = new Set(Failed.map(({ Id }) => Id));
    entries = entries.filter(({ Id }) => failedIds.has(Id));
  }
};
