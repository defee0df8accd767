/** What an endpoint and a forge are sent, by real requests to a server of this machine. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEventSender, renderStatus } from "./event-sender.ts";

interface Received {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

const signal = AbortSignal.timeout(60_000);
const SECRET = `whsec_${Buffer.from("a secret of enough bytes").toString("base64")}`;
const open = { allowLocalRepositories: false, allowPrivateNetworks: true };
let received: Received[] = [];
let status = 204;
let url: string;
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => {
    body += chunk.toString();
  });
  request.on("end", () => {
    received.push({ path: request.url ?? "", headers: request.headers, body });
    response.writeHead(status, { location: "http://127.0.0.1:1/" }).end();
  });
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
});

const post = (policy = open, to = url) =>
  createEventSender(policy).post(
    {
      ...{ url: `${to}/events`, secret: SECRET, id: "p/1/0", sentAtMs: Date.now() },
      ...{ contentType: "application/cloudevents+json", body: '{"a":1}' },
    },
    signal,
  );

test("an endpoint can verify what it is sent by the Standard Webhooks library", async () => {
  received = [];
  await post();
  const [request] = received;
  expect(request?.path).toBe("/events");
  const headers = request?.headers as Record<string, string>;
  expect(new Webhook(SECRET).verify(request?.body ?? "", headers)).toEqual({ a: 1 });
  expect(() => new Webhook(SECRET).verify('{"a":2}', headers)).toThrow();
});

test("what does not take an event, or sends it elsewhere, is told again", async () => {
  for (const answer of [500, 302, 404]) {
    status = answer;
    await expect(post()).rejects.toMatchObject({ code: "subscriber-unavailable" });
  }
  status = 204;
});

test("47: an address of a private network, or http, is refused unless the operator allows it", async () => {
  received = [];
  const closed = { ...open, allowPrivateNetworks: false };
  const refused = { code: "subscriber-refused" };
  await expect(post(closed)).rejects.toMatchObject(refused);
  const { port } = new URL(url);
  await expect(post(closed, `https://127.0.0.1:${port}`)).rejects.toMatchObject(refused);
  await expect(post(open, "http://169.254.169.254")).rejects.toMatchObject(refused);
  expect(received).toEqual([]);
});

test.each([
  ["github", "/repos/team/app/statuses/c0", "authorization", "Bearer t", "failure"],
  ["gitea", "/api/v1/repos/team/app/statuses/c0", "authorization", "token t", "failure"],
  ["gitlab", "/api/v4/projects/team%2Fapp/statuses/c0", "private-token", "t", "failed"],
] as const)(
  "a commit's status goes to %s where it takes them",
  async (forge, path, name, value, state) => {
    received = [];
    const place = { forge, url: `${url}/`, repository: "team/app", token: "t", commit: "c0" };
    const request = { ...place, state: "failure" as const, description: "failed: no image" };
    await createEventSender(open).setCommitStatus(request, signal);
    expect(received[0]?.path).toBe(path);
    expect(received[0]?.headers[name]).toBe(value);
    expect(JSON.parse(received[0]?.body ?? "")).toMatchObject({ state });
    expect(renderStatus(request).body).toMatchObject({ description: "failed: no image" });
  },
);
