/** What each kind of process can do in the platform's bucket on a real gateway, place by place. */
import { randomBytes } from "node:crypto";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../adapters/open-store.ts";
import type { AccessKey } from "../../adapters/s3-accounts.ts";
import { PLATFORM_ROLES, type PlatformRole } from "../../functions/platform-policy.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { probeStore } from "../../volume/probe-store.ts";
import { givePlatformKeys } from "./platform-keys.ts";
import { connectUser, requireStore, statusOf } from "./spaces-scene.ts";

const signal = AbortSignal.timeout(280_000);
const NAME = `roles-${randomBytes(3).toString("hex")}`;
const Bucket = NAME;
let lab: Lab;
let keys: Record<PlatformRole, AccessKey>;
let owner: S3Client;

/** Each place, and which roles may read (r), write (w) and delete (d) there. */
const PLACES: Readonly<Record<string, Partial<Record<PlatformRole, string>>>> = {
  "projects/p/record/0000000001.json": { control: "rw", node: "r", edge: "r", collector: "r" },
  "projects/p/record-latest": { control: "rwd", node: "r", edge: "r", collector: "r" },
  "projects/p/volumes/v/e1/a.copy-1.t/p-1": { control: "r", node: "rw", collector: "rd" },
  "projects/p/volumes/v/e1/a.copy-1.t/t-1": { control: "r", node: "rw", collector: "rd" },
  "projects/p/volumes/v/snapshots/e1": { control: "rw", node: "rwd", collector: "rd" },
  "projects/p/reports/d/seal-e2.x.json": { control: "rwd", node: "rw", collector: "d" },
  "projects/p/taken/v/e1.json": { control: "rwd", node: "rw", collector: "d" },
  "projects/p/warmings/r.v.json": { control: "rwd", node: "rw" },
  "projects/p/webhook-secret.json": { control: "rwd" },
  "projects/p/subscriber-secrets.json": { control: "rwd" },
  "projects/p/space.json": { control: "rwd", node: "r" },
  "tokens/t.json": { control: "rwd" },
  "nodes/x.json": { control: "rwd", node: "rw", edge: "r" },
  "leases/x.json": { control: "rwd", node: "rw" },
  "pending/p/r.json": { control: "rwd", node: "rw" },
  "edge/projects/p": { control: "rwd", node: "r", edge: "r" },
  "edge/edges/e.json": { control: "rwd", node: "r", edge: "rw" },
  "cordons/x.json": { control: "rwd", node: "r" },
};

beforeAll(async () => {
  lab = await attachOrStartLab({ ...FULL_LAB, engines: 0, elasticmq: false }, console.log, signal);
  keys = await givePlatformKeys(lab, { bucket: Bucket, name: NAME }, signal);
  const s3 = requireStore(lab);
  owner = connectUser(s3, s3);
});
afterAll(() => lab?.stop(signal));

test.for(PLATFORM_ROLES)(
  "52: %s does its work in the platform's bucket, and is refused the rest",
  async (role) => {
    const client = connectUser(requireStore(lab), keys[role]);
    const found: Record<string, string> = {};
    const wanted: Record<string, string> = {};
    for (const [Key, rights] of Object.entries(PLACES)) {
      await owner.send(new PutObjectCommand({ Bucket, Key, Body: "{}" }));
      const calls = {
        r: client.send(new GetObjectCommand({ Bucket, Key })),
        w: client.send(new PutObjectCommand({ Bucket, Key, Body: "x" })),
      };
      const [r, w] = await Promise.all([statusOf(calls.r), statusOf(calls.w)]);
      const d = await statusOf(client.send(new DeleteObjectCommand({ Bucket, Key })));
      found[Key] = Object.entries({ r, w, d })
        .flatMap(([right, status]) => (status === 403 ? [] : [right]))
        .join("");
      wanted[Key] = rights[role] ?? "";
    }
    expect(found).toEqual(wanted);
    const listed = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "projects/p/" }));
    expect(listed.KeyCount).toBeGreaterThan(0);
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement: [] });
    expect(await statusOf(client.send(new PutBucketPolicyCommand({ Bucket, Policy })))).toBe(403);
  },
);

test("the store keeps its promises to the control's own user as well", async () => {
  const { endpoints, region } = requireStore(lab);
  const store = await openStore({ url: `s3://${Bucket}`, endpoints, region, ...keys.control });
  const checks = await probeStore({ store, prefix: "probe", probeId: NAME }, signal);
  expect(checks.filter(({ outcome }) => outcome === "failed")).toEqual([]);
});
