/**
 * A broker's unreliable front: what is sent through it is lost, repeated or handed on late, as a seed
 * has it. The sender is told that all is well, as by a queue that loses what it has taken.
 */
import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, request } from "node:http";
import { buffer } from "node:stream/consumers";
import * as z from "zod";
import type { Random } from "../simulation/random.ts";

export interface MessageCounts {
  dropped: number;
  repeated: number;
  delayed: number;
  passed: number;
}

export interface MessageProxy {
  readonly endpoint: string;
  readonly counts: MessageCounts;
  /** From then on everything goes through at once. */
  calm(): void;
  close(): Promise<void>;
}

const DROP_SHARE = 0.1;
const REPEAT_SHARE = 0.1;
const DELAY_SHARE = 0.1;
const DELAY_MS_MAX = 3_000;

export const startMessageProxy = async (
  broker: string,
  host: string,
  random: Random,
): Promise<MessageProxy> => {
  const counts: MessageCounts = { dropped: 0, repeated: 0, delayed: 0, passed: 0 };
  let isCalm = false;
  const target = new URL(broker);
  const handOn = async (message: IncomingMessage, body: Buffer) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = { ...message.headers, host: target.host };
    const options = { host: target.hostname, port: target.port, path: message.url, headers };
    const onward = request({ ...options, method: message.method }, resolve);
    onward.on("error", reject);
    onward.end(body);
    const answer = await promise;
    return {
      status: answer.statusCode ?? 502,
      headers: answer.headers,
      body: await buffer(answer),
    };
  };
  const server = createServer((message, response) => {
    const answer = async (): Promise<void> => {
      const body = await buffer(message);
      const isSend = /SendMessageBatch$/.test(String(message.headers["x-amz-target"] ?? ""));
      const draw = isSend && !isCalm ? random.next() : 1;
      if (draw < DROP_SHARE + DELAY_SHARE) {
        const isDropped = draw < DROP_SHARE;
        counts[isDropped ? "dropped" : "delayed"] += 1;
        if (!isDropped) {
          const late = () => void handOn(message, body).catch(() => undefined);
          setTimeout(late, random.between(0, DELAY_MS_MAX)).unref();
        }
        response.writeHead(200, { "content-type": "application/x-amz-json-1.0" });
        response.end(JSON.stringify(acceptance(body)));
        return;
      }
      if (draw < DROP_SHARE + DELAY_SHARE + REPEAT_SHARE) {
        counts.repeated += 1;
        await handOn(message, body);
      } else if (isSend) counts.passed += 1;
      const { status, headers, body: reply } = await handOn(message, body);
      response.writeHead(status, headers);
      response.end(reply);
    };
    answer().catch(() => response.destroy());
  });
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  server.listen(0, host, resolve);
  await listening;
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    endpoint: `http://${host}:${port}`,
    counts,
    calm: () => {
      isCalm = true;
    },
    close: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
};

const Batch = z.object({ Entries: z.array(z.object({ Id: z.string(), MessageBody: z.string() })) });

/** What SQS answers to messages that it has taken. */
const acceptance = (body: Buffer) => ({
  Failed: [],
  Successful: Batch.parse(JSON.parse(body.toString())).Entries.map(({ Id, MessageBody }) => ({
    Id,
    MessageId: randomUUID(),
    MD5OfMessageBody: createHash("md5").update(MessageBody).digest("hex"),
  })),
});
