/** What is deployed: the package's CloudFormation, and the bundles invoked with real event shapes. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startEmbeddedQueue } from "../../adapters/embedded-queue.ts";
import { connectSqs, openQueue } from "../../adapters/sqs.ts";
import { localContext } from "../../agent/local-context.ts";
import { CONTROL_QUEUE } from "../../functions/messages.ts";
import { buildBundles } from "../../infra/build.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const signal = AbortSignal.timeout(240_000);
const directory = mkdtempSync(join(tmpdir(), "bagage-serverless-"));
const bundles = join(ROOT, ".build", "functions");
let queue: Awaited<ReturnType<typeof startEmbeddedQueue>>;

interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
}
let resources: Record<string, Resource>;

beforeAll(async () => {
  await buildBundles(bundles);
  const osls = join(ROOT, "node_modules", "osls", "bin", "serverless.js");
  await promisify(execFile)(
    process.execPath,
    [osls, "package", "--stage", "test", "--package", join(directory, "package")],
    { cwd: ROOT, env: { PATH: process.env["PATH"], HOME: directory } },
  );
  const file = join(directory, "package", "cloudformation-template-update-stack.json");
  resources = JSON.parse(readFileSync(file, "utf8")).Resources;
  queue = await startEmbeddedQueue({});
  const client = connectSqs(queue);
  await openQueue({ client, queue: CONTROL_QUEUE, create: true }, signal);
  Object.assign(process.env, {
    BAGAGE_STORE: `file:${join(directory, "store")}`,
    BAGAGE_SQS_ENDPOINT: queue.endpoint,
    BAGAGE_SQS_REGION: queue.region,
    BAGAGE_SQS_ACCESS_KEY: queue.credentials.accessKeyId,
    BAGAGE_SQS_SECRET_KEY: queue.credentials.secretAccessKey,
    BAGAGE_LOG_LEVEL: "error",
  });
}, 240_000);
afterAll(async () => {
  await queue?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const ofType = (type: string) => Object.values(resources).filter(({ Type }) => Type === type);
const load = async (name: string) => import(pathToFileURL(join(bundles, `${name}.mjs`)).href);

test("every queue that triggers a function fails message by message, within bounds", () => {
  const mappings = ofType("AWS::Lambda::EventSourceMapping");
  expect(mappings).toHaveLength(3);
  for (const { Properties } of mappings) {
    expect(Properties["FunctionResponseTypes"]).toEqual(["ReportBatchItemFailures"]);
    expect(Properties["BatchSize"]).toBeLessThanOrEqual(10);
    expect(Properties["ScalingConfig"]).toMatchObject({ MaximumConcurrency: expect.any(Number) });
  }
});

const TRIGGERS = [
  { queue: "ControlQueue", name: "advance-deploy" },
  { queue: "PublishQueue", name: "publish-volume" },
  { queue: "ObjectEventsQueue", name: "take-object-events" },
];

test.for(TRIGGERS)(
  "$queue has a dead-letter queue with an alarm, and outlives its function six times",
  ({ queue, name }) => {
    const properties = resources[queue]?.Properties;
    const triggered = ofType("AWS::Lambda::Function").find((one) =>
      String(one.Properties["FunctionName"]).endsWith(`-${name}`),
    );
    const dead = queue.replace("Queue", "DeadQueue");
    expect(properties).toMatchObject({
      RedrivePolicy: { maxReceiveCount: 10, deadLetterTargetArn: { "Fn::GetAtt": [dead, "Arn"] } },
    });
    const timeout = Number(triggered?.Properties["Timeout"]);
    expect(Number(properties?.["VisibilityTimeout"])).toBeGreaterThanOrEqual(6 * timeout);
    const watched = ofType("AWS::CloudWatch::Alarm").map(({ Properties }) =>
      JSON.stringify(Properties["Dimensions"]),
    );
    expect(watched.filter((dimensions) => dimensions.includes(`"${dead}"`))).toHaveLength(1);
  },
);

test("each function has a role of its own, whose every resource is named", () => {
  const roles = ofType("AWS::IAM::Role");
  const used = ofType("AWS::Lambda::Function").map(({ Properties }) => Properties["Role"]);
  expect(roles).toHaveLength(used.length);
  expect(new Set(used.map((role) => JSON.stringify(role))).size).toBe(used.length);
  const statements = roles.flatMap(({ Properties }) =>
    (
      Properties["Policies"] as {
        PolicyDocument: { Statement: { Action: string[]; Resource: unknown }[] };
      }[]
    ).flatMap(({ PolicyDocument }) => PolicyDocument.Statement),
  );
  for (const { Action, Resource } of statements) {
    expect(JSON.stringify(Resource)).not.toBe('"*"');
    for (const action of Action) expect(action).not.toContain("*");
  }
  const granted = new Set(statements.flatMap(({ Action }) => Action));
  expect([...granted].sort()).toEqual([
    "iam:DeleteAccessKey",
    "iam:ListAccessKeys",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
    "ssm:GetParameters",
  ]);
});

test("no secret stands in the template, and logs end some day", () => {
  const functions = ofType("AWS::Lambda::Function");
  for (const { Properties } of functions) {
    const { Variables } = Properties["Environment"] as { Variables: Record<string, string> };
    expect(Object.keys(Variables)).not.toContain("BAGAGE_S3_SECRET_KEY");
    expect(Variables["BAGAGE_S3_SECRET_KEY_PARAMETER"]).toBe("/bagage/test/s3-secret-key");
    expect(Properties["Runtime"]).toBe("nodejs24.x");
    expect(Properties["Architectures"]).toEqual(["arm64"]);
  }
  for (const { Properties } of ofType("AWS::Logs::LogGroup")) {
    expect(Properties["RetentionInDays"]).toBe(30);
  }
});

const record = (messageId: string, body: string): SQSEvent["Records"][number] => ({
  messageId,
  receiptHandle: "r",
  body,
  attributes: {
    ApproximateReceiveCount: "1",
    SentTimestamp: "1",
    SenderId: "s",
    ApproximateFirstReceiveTimestamp: "1",
  },
  messageAttributes: {},
  md5OfBody: "",
  eventSource: "aws:sqs",
  eventSourceARN: "arn:aws:sqs:eu-west-3:1:bagage-control",
  awsRegion: "eu-west-3",
});

test("18, 20: the bundle of advance-deploy gives back only the message that failed", {
  timeout: 120_000,
}, async () => {
  const { handler } = await load("advance-deploy");
  const hint = JSON.stringify({ type: "garbage.hint", version: 1, project: "nobody" });
  const event: SQSEvent = {
    Records: [record("good-1", hint), record("bad", "{not json"), record("good-2", hint)],
  };
  const response: SQSBatchResponse = await handler(event, localContext("advance-deploy"));
  expect(response).toEqual({ batchItemFailures: [{ itemIdentifier: "bad" }] });
});

test("the bundles of the sweep and the webhook answer real event shapes", {
  timeout: 120_000,
}, async () => {
  const { handler: sweep } = await load("sweep");
  expect(await sweep({ source: "aws.events" }, localContext("sweep"))).toEqual({ hints: 0 });
  const { handler: receive } = await load("receive-git-push");
  const answer = await receive(
    {
      version: "2.0",
      routeKey: "POST /hooks/{provider}/{project}",
      rawPath: "/hooks/github/nobody",
      rawQueryString: "",
      headers: { "content-type": "application/json", "x-hub-signature-256": "sha256=00" },
      pathParameters: { provider: "github", project: "nobody" },
      requestContext: { http: { method: "POST", path: "/hooks/github/nobody" }, requestId: "1" },
      body: "{}",
      isBase64Encoded: false,
    },
    localContext("receive-git-push"),
  );
  expect(answer.statusCode).toBe(401);
});
