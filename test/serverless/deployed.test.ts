/**
 * The service as it would stand in the cloud: deployed by the real command line to an AWS of another's
 * making, read back from it, and its bundles run by AWS's own runtime client with the rights they have.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  CloudFormationClient,
  DescribeStacksCommand,
  ListStackResourcesCommand,
} from "@aws-sdk/client-cloudformation";
import { LambdaClient, ListEventSourceMappingsCommand } from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectSqs, countMessages, deadLetterName, openQueue } from "../../adapters/sqs.ts";
import { CONTROL_QUEUE, nodeQueue, PUBLISH_QUEUE } from "../../functions/messages.ts";
import { OBJECT_EVENTS_QUEUE } from "../../functions/take-object-events/handler.ts";
import { buildBundles } from "../../infra/build.ts";
import { tryCommand } from "../../infra/lab/command.ts";
import {
  type AwsEmulator,
  EMULATED_REGION,
  type EmulatedSettings,
  ensureAwsEmulator,
  startAwsEmulator,
} from "../../infra/serverless/aws-emulator.ts";
import type { LambdaFunction } from "../../infra/serverless/lambda-runtime.ts";
import {
  type RecordingProxy,
  startRecordingProxy,
} from "../../infra/serverless/recording-proxy.ts";
import { X } from "../../workflows/deploy/given-deploys.ts";
import {
  apiEvent,
  PROJECT,
  prepareProject,
  pushEvent,
  queueRecord,
  uploadRecord,
} from "./emulated-project.ts";
import {
  PUBLISHED_VOLUME,
  prepareSpace,
  SPACE_PROJECT,
  SUBSCRIBER_QUEUE,
} from "./emulated-space.ts";
import { exerciseFunction, readFunction } from "./exercise-function.ts";
import { ACCOUNT } from "./function-rights.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BUCKET = "bagage-emulated";
const run = promisify(execFile);
const signal = AbortSignal.timeout(600_000);
const home = mkdtempSync(join(tmpdir(), "bagage-deployed-"));
const packaged = join(home, "package");
let aws: AwsEmulator;
let settings: EmulatedSettings;
let proxy: RecordingProxy;

beforeAll(async () => {
  await buildBundles(join(ROOT, ".build", "functions"));
  aws = await startAwsEmulator(signal);
  settings = aws.settings;
  proxy = await startRecordingProxy(settings.endpoint);
  const osls = join(ROOT, "node_modules", "osls", "bin", "serverless.js");
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    ...aws.environment,
    BAGAGE_BUCKET: BUCKET,
    BAGAGE_S3_ENDPOINT: settings.endpoint,
  };
  const serverless = (...argv: string[]) =>
    run(process.execPath, [osls, ...argv, "--stage", "test"], { cwd: ROOT, env });
  await serverless("package", "--package", packaged);
  await serverless("deploy", "--package", packaged);
}, 600_000);
afterAll(async () => {
  proxy?.stop();
  await aws?.stop();
  rmSync(home, { recursive: true, force: true });
});

/** Types that the emulator's CloudFormation passes over; the lint of the template covers them. */
const NOT_EMULATED = [
  "AWS::ApiGatewayV2::Api",
  "AWS::ApiGatewayV2::Integration",
  "AWS::ApiGatewayV2::Route",
  "AWS::ApiGatewayV2::Stage",
  "AWS::CloudWatch::Alarm",
  "AWS::S3::BucketPolicy",
  "AWS::SQS::QueuePolicy",
];
const templateFile = () => join(packaged, "cloudformation-template-update-stack.json");

test("the stack stands, with every resource of the template that the emulator knows", async () => {
  const client = new CloudFormationClient(settings);
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({}));
  expect(Stacks.map(({ StackName, StackStatus }) => [StackName, StackStatus])).toEqual([
    ["bagage-test", "UPDATE_COMPLETE"],
  ]);
  const { StackResourceSummaries = [] } = await client.send(
    new ListStackResourcesCommand({ StackName: "bagage-test" }),
  );
  const { Resources } = JSON.parse(readFileSync(templateFile(), "utf8")) as {
    Resources: Record<string, { Type: string }>;
  };
  const wanted = Object.entries(Resources)
    .filter(([, { Type }]) => !NOT_EMULATED.includes(Type))
    .map(([id]) => id);
  const there = StackResourceSummaries.map(({ LogicalResourceId }) => LogicalResourceId).filter(
    (id) => id !== "",
  );
  expect(there.sort()).toEqual(wanted.sort());
});

test("AWS's lint of the template finds nothing", async () => {
  const lint = join(await ensureAwsEmulator(signal), "cfn-lint");
  // The framework names a function's role once more, as a dependency: W3005.
  const options = ["--ignore-checks", "W3005", "--regions", EMULATED_REGION];
  const found = await tryCommand([lint, ...options, "--", templateFile()], {}, signal);
  expect(found).toEqual({ exitCode: 0, stdout: "", stderr: "" });
});

const FUNCTIONS = [
  "receive-git-push",
  "advance-deploy",
  "sweep",
  "api",
  "publish-volume",
  "receive-object-events",
  "take-object-events",
  "expire-keys",
] as const;
type FunctionName = (typeof FUNCTIONS)[number];

test.each(FUNCTIONS)("%s is there with its code and no secret", async (name) => {
  const deployed = await readFunction(settings, name);
  expect(deployed).toMatchObject({
    Runtime: "nodejs24.x",
    Handler: `.build/functions/${name}.handler`,
    MemorySize: name === "publish-volume" ? 1_024 : 512,
    Role: expect.stringContaining(":role/"),
  });
  expect(deployed.CodeSize).toBeGreaterThan(100_000);
  const variables = deployed.Environment?.Variables ?? {};
  expect(variables["BAGAGE_S3_SECRET_KEY_PARAMETER"]).toBe("/bagage/test/s3-secret-key");
  expect(Object.keys(variables)).not.toContain("BAGAGE_S3_SECRET_KEY");
});

const FEEDS = [
  { queue: CONTROL_QUEUE, name: "advance-deploy", batch: 10, visibilityS: 360 },
  { queue: PUBLISH_QUEUE, name: "publish-volume", batch: 1, visibilityS: 5_400 },
  { queue: OBJECT_EVENTS_QUEUE, name: "take-object-events", batch: 10, visibilityS: 180 },
];

test.for(FEEDS)(
  "$queue feeds $name, and its dead letters go to a queue of their own",
  async ({ queue: name, ...feed }) => {
    const EventSourceArn = `arn:aws:sqs:${EMULATED_REGION}:${ACCOUNT}:${name}`;
    const { EventSourceMappings = [] } = await new LambdaClient(settings).send(
      new ListEventSourceMappingsCommand({ EventSourceArn }),
    );
    const FunctionArn = expect.stringContaining(`bagage-test-${feed.name}`);
    expect(EventSourceMappings).toMatchObject([{ FunctionArn, BatchSize: feed.batch }]);
    const client = connectSqs(settings);
    const queue = await openQueue({ client, queue: name }, signal);
    expect(queue.visibilityTimeoutS).toBe(feed.visibilityS);
    await openQueue({ client, queue: deadLetterName(name) }, signal);
  },
);

const exercise = (name: FunctionName, use: (lambda: LambdaFunction) => Promise<void>) =>
  exerciseFunction({ aws, proxy, name, isFed: FEEDS.some((feed) => feed.name === name) }, use);

test("each bundle does its work under AWS's runtime client, with the rights of its role and no other", {
  timeout: 300_000,
}, async () => {
  const { token } = await prepareProject(settings, BUCKET, signal);
  const client = connectSqs(settings);
  const node = await openQueue({ client, queue: nodeQueue(X), create: true }, signal);
  const control = await openQueue({ client, queue: CONTROL_QUEUE }, signal);
  const waiting = async () => (await countMessages(control, signal)).visible;
  await exercise("receive-git-push", async (lambda) => {
    expect((await lambda.invoke(pushEvent())).payload).toMatchObject({ statusCode: 202 });
    const again = await lambda.invoke(pushEvent());
    expect(again.payload).toMatchObject({ statusCode: 202 });
    console.log(`receive-git-push: warm ${Math.round(again.ms)} ms`);
  });
  const before = await waiting();
  await exercise("sweep", async (lambda) => {
    const { payload } = await lambda.invoke({ source: "aws.events" });
    expect(payload).toMatchObject({ hints: expect.any(Number) });
    const again = await lambda.invoke({ source: "aws.events" });
    console.log(`sweep: warm ${Math.round(again.ms)} ms`);
  });
  expect(await waiting()).toBeGreaterThan(before);
  await exercise("advance-deploy", async (lambda) => {
    const hint = { type: "project.hint", version: 1, project: PROJECT, resend: true };
    const good = queueRecord("good", JSON.stringify(hint));
    const batch = { Records: [good, queueRecord("bad", "{not json")] };
    const failures = { batchItemFailures: [{ itemIdentifier: "bad" }] };
    expect((await lambda.invoke(batch)).payload).toEqual(failures);
    const again = await lambda.invoke(batch);
    expect(again.payload).toEqual(failures);
    console.log(`advance-deploy: warm ${Math.round(again.ms)} ms`);
  });
  expect((await countMessages(node, signal)).visible).toBeGreaterThan(0);
  await exercise("api", async (lambda) => {
    const path = `/v1/projects/${PROJECT}`;
    const { payload } = await lambda.invoke(apiEvent("GET", path, token));
    expect(payload).toMatchObject({ statusCode: 200 });
    const { deploy } = JSON.parse((payload as { body: string }).body) as { deploy: { id: string } };
    const cancel = apiEvent("DELETE", `${path}/deploys/${deploy.id}`, token);
    expect((await lambda.invoke(cancel)).payload).toMatchObject({ statusCode: 202 });
    const again = await lambda.invoke(apiEvent("GET", path, token));
    console.log(`api: warm ${Math.round(again.ms)} ms`);
  });
});

test("52: the functions of projects' buckets publish, tell of uploads and end keys, with their rights", {
  timeout: 300_000,
}, async () => {
  const { space, token, bucket, accounts } = await prepareSpace(settings, BUCKET, signal);
  const client = connectSqs(settings);
  const told = await openQueue({ client, queue: SUBSCRIBER_QUEUE, create: true }, signal);
  const countTold = async () => (await countMessages(told, signal)).visible;
  await exercise("publish-volume", async (lambda) => {
    const message = { type: "volume.publish", version: 1, project: SPACE_PROJECT };
    const good = queueRecord("good", JSON.stringify({ ...message, volume: PUBLISHED_VOLUME }));
    const batch = { Records: [good, queueRecord("bad", "{not json")] };
    const failures = { batchItemFailures: [{ itemIdentifier: "bad" }] };
    expect((await lambda.invoke(batch)).payload, lambda.log()).toEqual(failures);
  });
  const page = await bucket.get("volumes/data/page.html", signal);
  expect(Buffer.from(page ?? []).toString()).toBe("<p>page</p>");
  const upload = uploadRecord(space.bucket, `inbox/${PUBLISHED_VOLUME}/a+b%C3%BC.txt`);
  await exercise("receive-object-events", async (lambda) => {
    const path = `/object-events/${SPACE_PROJECT}/${token}`;
    const push = { ...apiEvent("POST", path, ""), body: JSON.stringify({ Records: [upload] }) };
    expect((await lambda.invoke(push)).payload, lambda.log()).toMatchObject({ statusCode: 200 });
    const forged = { ...push, rawPath: `/object-events/${SPACE_PROJECT}/x` };
    expect((await lambda.invoke(forged)).payload).toMatchObject({ statusCode: 401 });
  });
  expect(await countTold()).toBe(1);
  await exercise("take-object-events", async (lambda) => {
    const events = [{ Service: "Amazon S3", Event: "s3:TestEvent" }, { Records: [upload] }];
    const [test, good] = events.map((body, n) => queueRecord(`${n}`, JSON.stringify(body)));
    const batch = { Records: [test, good, queueRecord("bad", "[]")] };
    const failures = { batchItemFailures: [{ itemIdentifier: "bad" }] };
    expect((await lambda.invoke(batch)).payload, lambda.log()).toEqual(failures);
  });
  expect(await countTold()).toBe(2);
  const before = await accounts.listKeys(space.user, signal);
  await exercise("expire-keys", async (lambda) => {
    expect((await lambda.invoke({})).payload, lambda.log()).toEqual({ removed: 1 });
  });
  const after = await accounts.listKeys(space.user, signal);
  expect([before.length, after.length]).toEqual([3, 2]);
});
