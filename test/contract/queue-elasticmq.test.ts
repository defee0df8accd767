import { afterAll } from "vitest";
import { attachOrStartLab } from "../../infra/lab/lab.ts";
import { describeAttributes } from "./queue-attributes.ts";
import { describeQueue } from "./queue-suite.ts";

const lab = await attachOrStartLab(
  { engines: 0, gateways: 0, elasticmq: true },
  console.log,
  AbortSignal.timeout(300_000),
);
afterAll(() => lab.stop(AbortSignal.timeout(60_000)));

const settings = () => {
  if (lab.sqs === undefined) throw new Error("the lab has no broker");
  const { endpoint, region, accessKeyId, secretAccessKey } = lab.sqs;
  return { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
};
describeQueue(settings);
describeAttributes(settings);
