/** Deliveries as each sender makes them, and a receiver that remembers what it was told: for tests. */
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import examples from "@octokit/webhooks-examples";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { pino } from "pino";
import { Webhook } from "standardwebhooks";
import { createHandler } from "./handler.ts";
import type { PushDelivery, ReceiveGitPushPorts } from "./receive-git-push.ts";

/** The package is JSON: its one export is the list that its types call `default`. */
export const definitions = examples as unknown as typeof examples.default;

export const SECRET = "correct-horse-battery-staple";
export const SIGNING_TOKEN = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
export const HEAD = "9f2c1d7e4b8a6053c1e2d3f405162738495a6b7c";
export const NOW_MS = 1_790_000_000_000;

export const hmac = (body: string | Buffer, secret = SECRET, algorithm = "sha256"): string =>
  createHmac(algorithm, secret).update(body).digest("hex");

export const captured = (file: string): string => readFileSync(`test/events/${file}`, "utf8");

export const githubExample = (name: string): Record<string, unknown> => {
  const definition = definitions.find((candidate) => candidate.name === name);
  return definition?.examples[0] as unknown as Record<string, unknown>;
};
/** As the package has it, on the ref that the test's project follows. */
export const githubPush = JSON.stringify({
  ...githubExample("push"),
  ref: "refs/heads/main",
  after: HEAD,
  deleted: false,
});

export const world = (overrides: Partial<ReceiveGitPushPorts> = {}) => {
  const recorded: PushDelivery[] = [];
  const hinted: string[] = [];
  const lines: string[] = [];
  const order: string[] = [];
  const log = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
  const ports: ReceiveGitPushPorts = {
    findProject: async (project) =>
      project === "shop"
        ? { webhookSecrets: ["an-older-secret", SECRET, SIGNING_TOKEN], ref: "refs/heads/main" }
        : null,
    recordDelivery: async (push) => {
      order.push("record");
      const isKnown = recorded.some(({ delivery }) => delivery === push.delivery);
      if (!isKnown) recorded.push(push);
      return isKnown ? "repeated" : "recorded";
    },
    sendHint: async ({ delivery }) => {
      order.push("hint");
      hinted.push(delivery);
    },
    nowMs: () => NOW_MS,
    log,
    ...overrides,
  };
  const handler = createHandler(ports);
  const post = async (path: string, body: string | Buffer, headers: Record<string, string>) => {
    const http = { method: "POST", path, protocol: "HTTP/1.1", sourceIp: "", userAgent: "" };
    const event = {
      rawPath: path,
      headers: { "content-type": "application/json", ...headers },
      requestContext: { http },
      body: Buffer.from(body).toString("base64"),
      isBase64Encoded: true,
    } as unknown as APIGatewayProxyEventV2;
    const result = await handler(event, {} as never);
    return { status: result.statusCode, text: result.body ?? "", headers: result.headers ?? {} };
  };
  return { recorded, hinted, lines, order, post };
};

export const githubHeaders = (body: string | Buffer, event = "push"): Record<string, string> => ({
  "x-github-event": event,
  "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
  "x-hub-signature": `sha1=${hmac(body, SECRET, "sha1")}`,
  "x-hub-signature-256": `sha256=${hmac(body)}`,
});

export const gitHeaders = (body: string, atMs = NOW_MS): Record<string, string> => {
  const timestamp = `${Math.floor(atMs / 1_000)}`;
  const signature = `sha256=${hmac(`${timestamp}.${body}`)}`;
  return {
    "x-bagage-delivery": "hook-1",
    "x-bagage-timestamp": timestamp,
    "x-bagage-signature-256": signature,
  };
};

export const gitlabSigned = (body: string, at = new Date()): Record<string, string> => ({
  "x-gitlab-event": "Push Hook",
  "webhook-id": "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
  "webhook-timestamp": `${Math.floor(at.getTime() / 1_000)}`,
  "webhook-signature": new Webhook(SIGNING_TOKEN).sign(
    "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
    at,
    body,
  ),
});

export const gitPush = JSON.stringify({
  updates: [
    { ref: "refs/heads/other", before: "0".repeat(40), after: "1".repeat(40) },
    { ref: "refs/heads/main", before: "1".repeat(40), after: HEAD },
  ],
});
