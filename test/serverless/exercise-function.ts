/** A deployed function, read back from the emulator and run from its bundle with the rights it has. */
import { fileURLToPath } from "node:url";
import {
  type FunctionConfiguration,
  GetFunctionCommand,
  LambdaClient,
} from "@aws-sdk/client-lambda";
import { expect } from "vitest";
import type { AwsEmulator, EmulatedSettings } from "../../infra/serverless/aws-emulator.ts";
import { isAllowed } from "../../infra/serverless/iam-policy.ts";
import { type LambdaFunction, startLambda } from "../../infra/serverless/lambda-runtime.ts";
import type { RecordingProxy } from "../../infra/serverless/recording-proxy.ts";
import { readRights, rightsFor } from "./function-rights.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export const readFunction = async (
  settings: EmulatedSettings,
  name: string,
): Promise<FunctionConfiguration> => {
  const FunctionName = `bagage-test-${name}`;
  const found = await new LambdaClient(settings).send(new GetFunctionCommand({ FunctionName }));
  return found.Configuration ?? {};
};

export interface Exercise {
  readonly aws: AwsEmulator;
  readonly proxy: RecordingProxy;
  readonly name: string;
  /** Whether a queue feeds it. */
  readonly isFed: boolean;
}

/** Of Lambda itself: it writes the log, and takes the messages of the queue that feeds a function. */
const OF_THE_SERVICE = ["logs:CreateLogStream", "logs:PutLogEvents"];
const OF_THE_POLLER = ["sqs:DeleteMessage", "sqs:ReceiveMessage"];

/** Runs the function as it is deployed, and holds what it asked of AWS against its rights. */
export const exerciseFunction = async (
  { aws, proxy, name, isFed }: Exercise,
  use: (lambda: LambdaFunction) => Promise<void>,
): Promise<void> => {
  const { settings } = aws;
  proxy.take();
  const deployed = await readFunction(settings, name);
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
  const poller = isFed ? OF_THE_POLLER : [];
  const statements = rights.flatMap(({ Statement }) => Statement);
  const granted = new Set(statements.flatMap(({ Action }) => Action));
  expect(granted).toEqual(new Set([...used, ...OF_THE_SERVICE, ...poller]));
  for (const { Resource } of statements) expect(Resource).not.toContain("*");
  console.log(`${name}: cold start ${Math.round(lambda.initMs)} ms`);
};
