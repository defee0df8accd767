/** The life of a project's bucket on an emulated AWS that enforces its users' rights. */
import {
  CreateAccessKeyCommand,
  CreateUserCommand,
  IAMClient,
  ListUsersCommand,
  PutUserPolicyCommand,
} from "@aws-sdk/client-iam";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IAM_USER_PATH, openIamAccounts } from "../../adapters/iam-accounts.ts";
import type { AccessKey } from "../../adapters/s3-accounts.ts";
import { readConfig } from "../../functions/config.ts";
import {
  administratorUserPolicy,
  platformUserPolicy,
  publisherUserPolicy,
} from "../../functions/platform-policy.ts";
import { connectSpaces } from "../../functions/spaces/connect-spaces.ts";
import {
  enableSpace,
  expireKeys,
  listSpaceKeys,
  revokeKey,
  rotateKey,
  setSpaceQuota,
} from "../../functions/spaces/manage-keys.ts";
import { requireAccounts, type Space, type SpacePorts } from "../../functions/spaces/space.ts";
import { spaceUserPolicy } from "../../functions/spaces/space-policy.ts";
import {
  type AwsEmulator,
  EMULATED_REGION,
  startAwsEmulator,
} from "../../infra/serverless/aws-emulator.ts";
import { enforceRights } from "../../infra/serverless/enforce-rights.ts";
import { isAllowed, PolicyDocument } from "../../infra/serverless/iam-policy.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import { ProjectId } from "../../workflows/ids.ts";
import { intrusions } from "../lab/intrusions.ts";
import { connectUser, statusOf } from "../lab/spaces-scene.ts";

const signal = AbortSignal.timeout(240_000);
const PLATFORM_BUCKET = "bagage";
const RECORD = "projects/theirs/record/0000000001.json";
const [MINE, THEIRS] = [ProjectId.parse("mine"), ProjectId.parse("theirs")];
const LONG = ProjectId.parse(`long-${"x".repeat(55)}`);
const ADMINISTRATION = administratorUserPolicy(IAM_USER_PATH);
let aws: AwsEmulator;
let ports: SpacePorts;
let platform: AccessKey;

/** As an operator would make it: a user with the policy that `bagage store policy --aws` prints. */
const makeUser = async (UserName: string, PolicyDocument: string): Promise<AccessKey> => {
  const iam = new IAMClient(aws.settings);
  await iam.send(new CreateUserCommand({ UserName }));
  await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: "bagage", PolicyDocument }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  const { AccessKeyId = "", SecretAccessKey = "" } = AccessKey ?? {};
  return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey };
};

/** For the source of a copy the emulator asks for no right; AWS asks for s3:GetObject. */
const NOT_ASKED = ["copy from", "copy part from"];

/** Who may look at all users, for the test. */
let lister: AccessKey;

const open = (project: ProjectId) => enableSpace(ports, project, signal);
const clientOf = ({ endpoint, region }: Space, key: AccessKey | null): S3Client => {
  if (key === null) throw new Error("no key was shown");
  return connectUser({ endpoint, region }, key);
};

beforeAll(async () => {
  aws = await startAwsEmulator(signal);
  const { endpoint, region } = aws.settings;
  platform = await makeUser("bagage-control", platformUserPolicy(PLATFORM_BUCKET, "control"));
  const publisher = await makeUser("bagage-publisher", publisherUserPolicy("bagage-"));
  // The emulator asks for rights to any user at "*"; a test below holds the real ones to the policy.
  const anyUser = ADMINISTRATION.replaceAll(/"arn:aws:iam[^"]+"/g, '"*"');
  const credentials = await makeUser("bagage-admin", anyUser);
  const Statement = [{ Effect: "Allow", Action: ["iam:ListUsers"], Resource: ["*"] }];
  lister = await makeUser("lister", JSON.stringify({ Version: "2012-10-17", Statement }));
  const root = new S3Client({ ...aws.settings, forcePathStyle: true });
  const CreateBucketConfiguration = { LocationConstraint: EMULATED_REGION } as const;
  await root.send(new CreateBucketCommand({ Bucket: PLATFORM_BUCKET, CreateBucketConfiguration }));
  await enforceRights(endpoint, signal);
  const config = readConfig({
    BAGAGE_S3_ENDPOINT: endpoint,
    BAGAGE_S3_REGION: region,
    BAGAGE_S3_ACCOUNTS: "iam",
    BAGAGE_PUBLISHER_ACCESS_KEY: publisher.accessKeyId,
    BAGAGE_PUBLISHER_SECRET_KEY: publisher.secretAccessKey,
  });
  const store = createMemoryObjectStore();
  ports = {
    ...connectSpaces(config, { store, nowMs: Date.now, log: pino({ level: "silent" }) }),
    accounts: openIamAccounts({ endpoint, region, credentials }),
  };
}, 240_000);
afterAll(() => aws?.stop());

test("a project gets a bucket of its own, a key for its user and one for its containers' user", async () => {
  const { space, key } = await open(MINE);
  const client = clientOf(space, key);
  const Bucket = space.bucket;
  const container = clientOf(space, space.container);
  await client.send(new PutObjectCommand({ Bucket, Key: "a/1", Body: "one" }));
  const read = await container.send(new GetObjectCommand({ Bucket, Key: "a/1" }));
  expect(await read.Body?.transformToString()).toBe("one");
  const listed = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "a/" }));
  expect(listed.Contents?.map(({ Key }) => Key)).toEqual(["a/1"]);
  const Objects = [{ Key: "a/1" }];
  await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  expect((await open(MINE)).key).toBeNull();
  expect(await listSpaceKeys(ports, MINE, signal)).toHaveLength(2);
});

test("what is published can be read and not be changed", async () => {
  const { space, key } = await open(ProjectId.parse("reader"));
  const client = clientOf(space, key);
  const Bucket = space.bucket;
  const bucket = ports.openAsOwner?.(Bucket);
  const notes = { contentType: "text/plain", metadata: {} };
  const Key = "volumes/data/a.txt";
  await bucket?.put(Key, Buffer.from("published"), notes, signal);
  expect(await statusOf(client.send(new GetObjectCommand({ Bucket, Key })))).toBe(200);
  const refused = await Promise.all(
    [Key, ".bagage/data/snapshot.json"].flatMap((Key) => [
      statusOf(client.send(new PutObjectCommand({ Bucket, Key, Body: "x" }))),
      statusOf(client.send(new DeleteObjectCommand({ Bucket, Key }))),
    ]),
  );
  expect(refused).toEqual([403, 403, 403, 403]);
});

test("52: one project's keys on another's data and on the platform's: 403 each", async () => {
  const mine = await open(ProjectId.parse("intruder"));
  const theirs = await open(THEIRS);
  const { bucket } = theirs.space;
  const put = { Bucket: bucket, Key: "own.txt", Body: "own" };
  await clientOf(theirs.space, theirs.key).send(new PutObjectCommand(put));
  const control = connectUser(aws.settings, platform);
  const record = { Bucket: PLATFORM_BUCKET, Key: RECORD, Body: "record" };
  await control.send(new PutObjectCommand(record));
  const client = clientOf(mine.space, mine.key);
  const policy = PolicyDocument.parse(JSON.parse(spaceUserPolicy(mine.space.bucket)));
  for (const [place, key] of [
    [bucket, "own.txt"],
    [PLATFORM_BUCKET, RECORD],
  ] as const) {
    const calls = intrusions(client, mine.space.bucket, place, key);
    const answers = await Promise.all(
      Object.entries(calls).map(async ([what, call]) => [what, await statusOf(call)] as const),
    );
    const passed = answers.filter(([what, status]) => status !== 403 && !NOT_ASKED.includes(what));
    expect(passed).toEqual([]);
    expect(isAllowed([policy], "s3:GetObject", `arn:aws:s3:::${place}/${key}`)).toBe(false);
  }
});

test("52: the platform's own user reaches no project's files, the publisher no record", async () => {
  const { space } = await open(THEIRS);
  const control = connectUser(aws.settings, platform);
  const list = new ListObjectsV2Command({ Bucket: space.bucket });
  expect(await statusOf(control.send(list))).toBe(403);
  const record = ports.openAsOwner?.(PLATFORM_BUCKET).get(RECORD, signal);
  await expect(record).rejects.toMatchObject({ code: "store-denied" });
});

test("a key is rotated with an overlap, ended when it is over, and revoked at once", async () => {
  const project = ProjectId.parse("rotating");
  const { space, key } = await open(project);
  const list = new ListObjectsV2Command({ Bucket: space.bucket });
  const old = clientOf(space, key);
  const rotated = await rotateKey(ports, project, { purpose: "client", overlapMs: 0 }, signal);
  const fresh = clientOf(space, rotated.key);
  expect(await Promise.all([old, fresh].map((one) => statusOf(one.send(list))))).toEqual([
    200, 200,
  ]);
  const third = rotateKey(ports, project, { purpose: "client", overlapMs: 0 }, signal);
  await expect(third).rejects.toMatchObject({ code: "accounts-limit" });
  const held = await rotateKey(ports, project, { purpose: "container", overlapMs: 0 }, signal);
  expect(await expireKeys(ports, signal)).toBe(2);
  const container = clientOf(space, held.key);
  const answers = [old, fresh, container].map((one) => statusOf(one.send(list)));
  expect(await Promise.all(answers)).toEqual([403, 200, 200]);
  await revokeKey(ports, project, rotated.key.accessKeyId, signal);
  expect(await statusOf(fresh.send(list))).toBe(403);
});

test("what AWS has not is refused with the reason: quotas, Swift, a push of notifications", async () => {
  const quota = setSpaceQuota(ports, MINE, { bytes: 1, objects: null }, signal);
  await expect(quota).rejects.toMatchObject({ code: "no-quota" });
  const swift = requireAccounts(ports).replaceSwiftKey("user", signal);
  await expect(swift).rejects.toMatchObject({ code: "no-swift" });
});

test("the administrator's policy reaches projects' users alone, whose names IAM takes", async () => {
  const { space } = await open(LONG);
  expect(space.user.length).toBeLessThanOrEqual(50);
  expect((await open(LONG)).space).toEqual(space);
  const policy = PolicyDocument.parse(JSON.parse(ADMINISTRATION));
  const iam = new IAMClient({ ...aws.settings, credentials: lister });
  const { Users = [] } = await iam.send(new ListUsersCommand({}));
  const reached = Users.filter(({ Arn = "" }) => isAllowed([policy], "iam:CreateAccessKey", Arn));
  const made = Users.filter(({ Path }) => Path === IAM_USER_PATH);
  expect(made.length).toBeGreaterThan(0);
  expect(reached).toEqual(made);
  expect(policy.Statement.flatMap(({ Action }) => Action)).not.toContain("iam:AttachUserPolicy");
});
