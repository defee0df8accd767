/** A project in a bucket of the emulated AWS, with a deploy under way, and what happens to it. */
import { createHmac, randomUUID } from "node:crypto";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { openStore } from "../../adapters/open-store.ts";
import { openProjectRecords } from "../../adapters/project-records.ts";
import { openKey } from "../../adapters/store-keys.ts";
import { createToken } from "../../functions/api/tokens.ts";
import { CONTROL_QUEUE } from "../../functions/messages.ts";
import { addProject } from "../../functions/projects.ts";
import { EMULATED_REGION, type EmulatedSettings } from "../../infra/serverless/aws-emulator.ts";
import { begin, one, start } from "../../workflows/deploy/given-deploys.ts";
import type { ProjectState } from "../../workflows/record.ts";

const SECRET = "a secret of sixteen or more";
const HOUR_MS = 3_600_000;
export const PROJECT = start.project;

/** The bucket, the parameters that the functions read, the project (it awaits node x), its token. */
export const prepareProject = async (
  settings: EmulatedSettings,
  bucket: string,
  signal: AbortSignal,
): Promise<{ readonly token: string }> => {
  const { accessKeyId, secretAccessKey } = settings.credentials;
  const place = { LocationConstraint: EMULATED_REGION } as const;
  await new S3Client({ ...settings, forcePathStyle: true }).send(
    new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: place }),
  );
  const parameters = new SSMClient(settings);
  for (const [kind, Value] of Object.entries({ access: accessKeyId, secret: secretAccessKey })) {
    const Name = `/bagage/test/s3-${kind}-key`;
    await parameters.send(new PutParameterCommand({ Name, Value, Type: "SecureString" }));
  }
  const store = await openStore({
    url: `s3://${bucket}`,
    endpoints: [settings.endpoint],
    region: EMULATED_REGION,
    accessKeyId,
    secretAccessKey,
  });
  const records = openProjectRecords({ store, nowMs: Date.now, newUuid: randomUUID });
  await addProject({ store, records }, PROJECT, start.settings, SECRET, signal);
  const added = await records.load(PROJECT, signal);
  const { rev } = await records.save(PROJECT, added, beginNow(), signal);
  await store.put(openKey(PROJECT, rev), new Uint8Array(), {}, signal);
  const token = { name: "test", project: PROJECT, createdAtMs: 0 };
  return { token: await createToken(store, token, signal) };
};

/** A deploy that has only just begun: its time has not run out. */
const beginNow = (): ProjectState => {
  const state = begin(start, "first", "a", one);
  const { deploy } = state;
  if (deploy === null) throw new Error("no deploy began");
  const phase = { ...deploy.phase, deadlineAtMs: Date.now() + HOUR_MS };
  return { ...state, deploy: { ...deploy, phase } };
};

/** A message as Lambda's poller of the control queue hands it over. */
export const queueRecord = (messageId: string, body: string) => ({
  messageId,
  receiptHandle: "r",
  body,
  attributes: {},
  messageAttributes: {},
  eventSource: "aws:sqs",
  eventSourceARN: `arn:aws:sqs:${EMULATED_REGION}:123456789012:${CONTROL_QUEUE}`,
  awsRegion: EMULATED_REGION,
});

/** A push as the HTTP API hands it over, signed with the project's secret. */
export const pushEvent = () => {
  const body = JSON.stringify({ ref: "refs/heads/main", after: "a".repeat(40), deleted: false });
  const path = `/hooks/github/${PROJECT}`;
  return {
    version: "2.0",
    routeKey: "POST /hooks/{provider}/{project}",
    rawPath: path,
    rawQueryString: "",
    headers: {
      "content-type": "application/json",
      "x-github-event": "push",
      "x-github-delivery": "11111111-2222-3333-4444-555555555555",
      "x-hub-signature-256": `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`,
    },
    pathParameters: { provider: "github", project: PROJECT },
    requestContext: { http: { method: "POST", path }, requestId: "1" },
    body,
    isBase64Encoded: false,
  };
};

/** A call of the API as the HTTP API hands it over. */
export const apiEvent = (method: string, path: string, token: string) => ({
  version: "2.0",
  routeKey: "ANY /v1/{proxy+}",
  rawPath: path,
  rawQueryString: "",
  headers: { authorization: `Bearer ${token}` },
  requestContext: { http: { method, path }, requestId: "1" },
  isBase64Encoded: false,
});

/** As S3 tells of an upload, keys as in a form. */
export const uploadRecord = (bucket: string, key: string) => ({
  eventVersion: "2.1",
  eventSource: "aws:s3",
  eventTime: "2026-01-02T03:04:05.000Z",
  eventName: "ObjectCreated:Put",
  s3: {
    s3SchemaVersion: "1.0",
    configurationId: "bagage-with-a-bucket",
    bucket: { name: bucket, arn: `arn:aws:s3:::${bucket}` },
    object: {
      key,
      size: 5,
      eTag: "d41d8cd98f00b204e9800998ecf8427e",
      sequencer: "0055AED6DCD90281E5",
    },
  },
});
