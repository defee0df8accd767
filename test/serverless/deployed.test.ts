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
import {
  type FunctionConfiguration,
  GetFunctionCommand,
  LambdaClient,
  ListEventSourceMappingsCommand,
} from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectSqs, countMessages, deadLetterName, openQueue } from "../../adapters/sqs.ts";
import { CONTROL_QUEUE, nodeQueue } from "../../functions/messages.ts";
import { buildBundles } from "../../infra/build.ts";
import { tryCommand } from "../../infra/lab/command.ts";
import {
  type AwsEmulator,
  EMULATED_REGION,
  type EmulatedSettings,
  ensureAwsEmulator,
  startAwsEmulator,
} from "../../infra/serverless/aws-emulator.ts";
import { isAllowed } from "../../infra/serverless/iam-policy.ts";
import { type LambdaFunction, startLambda } from "../../infra/serverless/lambda-runtime.ts";
import {
  type RecordingProxy,
  startRecordingProxy,
} from "../../infra/serverless/recording-proxy.ts";
import { X } from "../../workflows/deploy/given-deploys.ts";
import { apiEvent, PROJECT, prepareProject, pushEvent, queueRecord } from "./emulated-project.ts";
import { ACCOUNT, readRights, rightsFor } from "./function-rights.ts";

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

const FUNCTIONS = ["receive-git-push", "advance-deploy", "sweep", "api"] as const;
type FunctionName = (typeof FUNCTIONS)[number];

const readFunction = async (name: FunctionName): Promise<FunctionConfiguration> => {
  const FunctionName = `bagage-test-${name}`;
  const found = await new LambdaClient(settings).send(new GetFunctionCommand({ FunctionName }));
  return found.Configuration ?? {};
};

test.each(FUNCTIONS)("%s is there with its code and no secret", async (name) => {
  const deployed = await readFunction(name);
  expect(deployed).toMatchObject({
    Runtime: "nodejs24.x",
    Handler: `.build/functions/${name}.handler`,
    MemorySize: 512,
    Role: expect.stringContaining(":role/"),
  });
  expect(deployed.CodeSize).toBeGreaterThan(100_000);
  const variables = deployed.Environment?.Variables ?? {};
  expect(variables["BAGAGE_S3_SECRET_KEY_PARAMETER"]).toBe("/bagage/test/s3-secret-key");
  expect(Object.keys(variables)).not.toContain("BAGAGE_S3_SECRET_KEY");
});

test("the control queue feeds advance-deploy, and its dead letters go to a queue of their own", async () => {
  const { EventSourceMappings = [] } = await new LambdaClient(settings).send(
    new ListEventSourceMappingsCommand({}),
  );
  expect(EventSourceMappings).toMatchObject([
    {
      EventSourceArn: `arn:aws:sqs:${EMULATED_REGION}:${ACCOUNT}:${CONTROL_QUEUE}`,
      FunctionArn: expect.stringContaining("bagage-test-advance-deploy"),
      BatchSize: 10,
    },
  ]);
  const client = connectSqs(settings);
  const queue = await openQueue({ client, queue: CONTROL_QUEUE }, signal);
  expect(queue.visibilityTimeoutS).toBe(360);
  await openQueue({ client, queue: deadLetterName(CONTROL_QUEUE) }, signal);
});

/** Of Lambda itself: it writes the log, and takes the messages of the queue that feeds a function. */
const OF_THE_SERVICE = ["logs:CreateLogStream", "logs:PutLogEvents"];
const OF_THE_POLLER = ["sqs:DeleteMessage", "sqs:ReceiveMessage"];

/** Runs the function as it is deployed, and holds what it asked of AWS against its rights. */
const exercise = async (
  name: FunctionName,
  use: (lambda: LambdaFunction) => Promise<void>,
): Promise<void> => {
  proxy.take();
  const deployed = await readFunction(name);
  const lambda = await startLambda({
    taskRoot: ROOT,
    handler: deployed.Handler ?? "",
    environment: {
      ...deployed.Environment?.Variables,
      ...aws.environment,
      AWS_ENDPOINT_URL: proxy.endpoint,
    },
  });
  try {
    await use(lambda);
  } finally {
    await lambda.stop();
  }
  const rights = await readRights(settings, deployed);
  const needed = proxy.take().flatMap(rightsFor);
  for (const { action, resource } of needed) {
    expect(isAllowed(rights, action, resource), `${name}: ${action} on ${resource}`).toBe(true);
  }
  const used = needed.map(({ action }) => action);
  const poller = name === "advance-deploy" ? OF_THE_POLLER : [];
  const statements = rights.flatMap(({ Statement }) => Statement);
  const granted = new Set(statements.flatMap(({ Action }) => Action));
  expect(granted).toEqual(new Set([...used, ...OF_THE_SERVICE, ...poller]));
  for (const { Resource } of statements) expect(Resource).not.toContain("*");
  console.log(`${name}: cold start ${Math.round(lambda.initMs)} ms`);
};

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
