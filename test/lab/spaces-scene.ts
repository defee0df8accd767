/** What the tests of projects' S3 spaces have in common: the platform's keys, and clients of users. */
import { randomBytes } from "node:crypto";
import { S3Client } from "@aws-sdk/client-s3";
import pino from "pino";
import type { AccessKey } from "../../adapters/s3-accounts.ts";
import { readConfig } from "../../functions/config.ts";
import { connectSpaces } from "../../functions/spaces/connect-spaces.ts";
import type { Space, SpacePorts } from "../../functions/spaces/space.ts";
import type { Lab, LabStore } from "../../infra/lab/connect-lab.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import type { ObjectStore } from "../../volume/object-store.ts";

export const requireStore = (lab: Lab): LabStore => {
  if (lab.s3 === undefined) throw new Error("the lab has no S3 store");
  return lab.s3;
};

/** The settings by which an installation manages spaces; the publisher is made where it is missing. */
export const spacesEnvironment = async (
  lab: Lab,
  signal: AbortSignal,
): Promise<Record<string, string>> => {
  const s3 = requireStore(lab);
  const publisher = { id: "publisher-lab-key", secret: "publisher-lab-secret" };
  const create = ["user", "create", "--uid", "bagage-publisher", "--display-name", "publisher"];
  const keys = ["--access-key", publisher.id, "--secret-key", publisher.secret];
  await s3.radosgwAdmin([...create, ...keys, "--max-buckets", "0"], signal).catch(() =>
    // It is there already when the lab is an old one; a real failure shows at its first use.
    s3.radosgwAdmin(["user", "info", "--uid", "bagage-publisher"], signal),
  );
  return {
    BAGAGE_S3_ENDPOINT: s3.endpoints.join(","),
    BAGAGE_S3_ADMIN_ACCESS_KEY: s3.adminAccessKeyId,
    BAGAGE_S3_ADMIN_SECRET_KEY: s3.adminSecretAccessKey,
    BAGAGE_PUBLISHER_ACCESS_KEY: publisher.id,
    BAGAGE_PUBLISHER_SECRET_KEY: publisher.secret,
    // Apart from all other runs on the same lab.
    BAGAGE_SPACES_PREFIX: `t${randomBytes(4).toString("hex")}-`,
  };
};

/** Spaces on the lab's gateways, as a process of the platform has them. */
export const connectLabSpaces = (
  environment: Readonly<Record<string, string>>,
  store: ObjectStore = createMemoryObjectStore(),
): SpacePorts => {
  const log = pino({ level: "silent" });
  return connectSpaces(readConfig(environment), { store, nowMs: Date.now, log });
};

/** A user's client, as the AWS documentation says to make one. */
export const connectUser = (
  { endpoint, region }: Pick<Space, "endpoint" | "region">,
  credentials: AccessKey,
): S3Client => new S3Client({ endpoint, region, forcePathStyle: true, credentials });

/** The status that the store answers; 200 for any success. */
export const statusOf = (call: Promise<unknown>): Promise<number> =>
  call.then(
    () => 200,
    (error: { $metadata?: { httpStatusCode?: number } }) => {
      const status = error.$metadata?.httpStatusCode;
      if (status === undefined) throw error;
      return status;
    },
  );
