/** Stands between a function and AWS, and notes what the function asks of it. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One call in AWS's JSON or query protocol: `AmazonSQS.SendMessage`, and its parameters. */
export interface RecordedCall {
  readonly service: string;
  readonly operation: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface RecordingProxy {
  readonly endpoint: string;
  /** What was asked since the last take; requests in other protocols (S3's) are only passed on. */
  take(): RecordedCall[];
  stop(): void;
}

export const startRecordingProxy = async (target: string): Promise<RecordingProxy> => {
  let calls: RecordedCall[] = [];
  const pass = async (from: IncomingMessage, to: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of from as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const call = readCall(from, body.toString("utf8"));
    if (call !== null) calls.push(call);
    const onward = request(new URL(from.url ?? "/", target), {
      method: from.method,
      // The host stays: it is part of what is signed.
      headers: from.headers,
    });
    onward.on("response", (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(to);
    });
    onward.on("error", () => to.destroy());
    onward.end(body);
  };
  const server = createServer((from, to) => void pass(from, to)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    take: () => {
      const taken = calls;
      calls = [];
      return taken;
    },
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};

const readCall = ({ headers }: IncomingMessage, body: string): RecordedCall | null => {
  const [service, operation] = String(headers["x-amz-target"] ?? "").split(".");
  if (service !== undefined && operation !== undefined) {
    return { service, operation, parameters: JSON.parse(body) };
  }
  if (headers["content-type"] !== "application/x-www-form-urlencoded") return null;
  const { Action = "", ...parameters } = Object.fromEntries(new URLSearchParams(body));
  // The scope of the signature: key/day/region/service.
  const scope = /Credential=([^,]+)/.exec(headers.authorization ?? "")?.[1]?.split("/");
  return { service: scope?.[3] ?? "", operation: Action, parameters };
};
