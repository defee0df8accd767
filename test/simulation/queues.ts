/**
 * Queues as SQS promises them, and no better: a message may be lost, come twice, late, in any order,
 * or long after its time. What a consumer did not finish comes again, and in the end is laid aside.
 */
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import type { Process } from "./machine.ts";
import type { World } from "./world.ts";

export type QueueTrouble = "lose" | "repeat" | "delay" | "ancient";

export type HandleBatch = (event: SQSEvent) => Promise<SQSBatchResponse | undefined>;

export interface Queues {
  send(queue: string, message: unknown): void;
  trouble(kind: QueueTrouble, share: number): () => void;
  /** The process takes the queue's messages for as long as it lives. */
  consume(queue: string, process: Process, handle: HandleBatch): void;
  /** Messages that failed too often. */
  readonly deadLetters: readonly string[];
}

interface Message {
  readonly id: string;
  readonly queue: string;
  readonly body: string;
  receives: number;
}

const RECEIVES_MAX = 10;
const VISIBILITY_MS = 60_000;
const RETRY_DELAY_MS_MAX = 300_000;
/** Nobody listens: asked again so often. */
const POLL_MS = 1_000;
const DELAY_MS_MAX = 30_000;
const ANCIENT_MS = 10 * 60_000;

export const createQueues = (world: World): Queues => {
  const { random } = world;
  const troubles = new Set<{ readonly kind: QueueTrouble; readonly share: number }>();
  const consumers = new Map<
    string,
    { readonly process: Process; readonly handle: HandleBatch }[]
  >();
  const deadLetters: string[] = [];
  let sent = 0;
  const has = (kind: QueueTrouble): boolean =>
    [...troubles].some((trouble) => trouble.kind === kind && random.chance(trouble.share));

  const deliver = (message: Message): void => {
    const alive = (consumers.get(message.queue) ?? []).filter(
      ({ process }) => process.isAlive() && !process.machine.isCut,
    );
    if (alive.length === 0) {
      world.after(POLL_MS, () => deliver(message));
      return;
    }
    const { process, handle } = random.pick(alive);
    message.receives += 1;
    let isSettled = false;
    // A consumer that goes on renews its hold; of one that died or is frozen nothing is heard.
    const renew = (): void => {
      if (isSettled) return;
      if (
        process.isAlive() &&
        !process.machine.isCut &&
        process.machine.frozenUntilMs <= world.nowMs()
      ) {
        world.after(VISIBILITY_MS, renew);
        return;
      }
      isSettled = true;
      again(message, 0);
    };
    world.after(VISIBILITY_MS, renew);
    process.deliver(() => {
      const settle = (isDone: boolean): void => {
        if (isSettled || !process.isAlive()) return;
        isSettled = true;
        if (!isDone) again(message, Math.min(1_000 * 2 ** message.receives, RETRY_DELAY_MS_MAX));
      };
      handle(eventOf(message)).then(
        (response) => settle((response?.batchItemFailures ?? []).length === 0),
        () => settle(false),
      );
    });
  };
  const again = (message: Message, delayMs: number): void => {
    if (message.receives >= RECEIVES_MAX) deadLetters.push(message.body);
    else world.after(delayMs, () => deliver(message));
  };
  return {
    deadLetters,
    trouble: (kind, share) => {
      const one = { kind, share };
      troubles.add(one);
      return () => void troubles.delete(one);
    },
    send: (queue, body) => {
      const post = (delayMs: number): void => {
        sent += 1;
        const message = { id: `m${sent}`, queue, body: JSON.stringify(body), receives: 0 };
        world.after(delayMs, () => deliver(message));
      };
      if (has("ancient")) post(random.between(ANCIENT_MS / 2, ANCIENT_MS));
      if (has("lose")) return;
      if (has("repeat"))
        for (let i = random.between(1, 2); i > 0; i -= 1) post(random.between(0, 5_000));
      post(has("delay") ? random.between(0, DELAY_MS_MAX) : random.between(0, 30));
    },
    consume: (queue, process, handle) => {
      const others = (consumers.get(queue) ?? []).filter((one) => one.process.isAlive());
      consumers.set(queue, [...others, { process, handle }]);
    },
  };
};

const eventOf = ({ id, body, receives, queue }: Message): SQSEvent => ({
  Records: [
    {
      messageId: id,
      receiptHandle: `${id}.${receives}`,
      body,
      attributes: {
        ApproximateReceiveCount: String(receives),
        SentTimestamp: "0",
        SenderId: "simulated",
        ApproximateFirstReceiveTimestamp: "0",
      },
      messageAttributes: {},
      md5OfBody: "",
      eventSource: "simulated",
      eventSourceARN: queue,
      awsRegion: "local",
    },
  ],
});
