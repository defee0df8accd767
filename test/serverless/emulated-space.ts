/** A project's bucket on the emulated AWS: its users in IAM, a volume to publish, someone to tell. */
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import pino from "pino";
import { openIamAccounts } from "../../adapters/iam-accounts.ts";
import { linuxFileSystem } from "../../adapters/linux.ts";
import { openStore } from "../../adapters/open-store.ts";
import { openProjectRecords } from "../../adapters/project-records.ts";
import { volumePrefix } from "../../adapters/store-keys.ts";
import { readConfig } from "../../functions/config.ts";
import { addProject } from "../../functions/projects.ts";
import { connectSpaces } from "../../functions/spaces/connect-spaces.ts";
import { enableSpace, rotateKey } from "../../functions/spaces/manage-keys.ts";
import { notifyOfUploads } from "../../functions/spaces/notify-of-uploads.ts";
import { findSpace } from "../../functions/spaces/space.ts";
import type { EmulatedSettings } from "../../infra/serverless/aws-emulator.ts";
import { writeSnapshot } from "../../volume/write-snapshot.ts";
import { Epoch, ProjectId, SnapshotId, VolumeName } from "../../workflows/ids.ts";
import { newVolume } from "../../workflows/new-volume.ts";
import { ACCOUNT } from "./function-rights.ts";

export const SPACE_PROJECT = ProjectId.parse("with-a-bucket");
export const PUBLISHED_VOLUME = VolumeName.parse("data");
export const SUBSCRIBER_QUEUE = `bagage-events-${SPACE_PROJECT}`;

/** The project, its bucket, a snapshot that is to be published, and a key whose time is over. */
export const prepareSpace = async (
  settings: EmulatedSettings,
  bucket: string,
  signal: AbortSignal,
) => {
  const { endpoint, region, credentials } = settings;
  const parameters = new SSMClient(settings);
  for (const [kind, Value] of [
    ["access", credentials.accessKeyId],
    ["secret", credentials.secretAccessKey],
  ] as const) {
    const Name = `/bagage/test/publisher-${kind}-key`;
    await parameters.send(new PutParameterCommand({ Name, Value, Type: "SecureString" }));
  }
  const store = await openStore({
    url: `s3://${bucket}`,
    endpoints: [endpoint],
    region,
    ...credentials,
  });
  const config = readConfig({
    BAGAGE_S3_ENDPOINT: endpoint,
    BAGAGE_S3_REGION: region,
    BAGAGE_PUBLISHER_ACCESS_KEY: credentials.accessKeyId,
    BAGAGE_PUBLISHER_SECRET_KEY: credentials.secretAccessKey,
    BAGAGE_NOTIFY_QUEUE: `arn:aws:sqs:${region}:${ACCOUNT}:bagage-object-events`,
  });
  const log = pino({ level: "silent" });
  const ports = {
    ...connectSpaces(config, { store, nowMs: Date.now, log }),
    accounts: openIamAccounts({ endpoint, region, credentials }),
  };
  const records = openProjectRecords({ store, nowMs: Date.now, newUuid: randomUUID });
  const kind = "queue" as const;
  const subscriber = { kind, name: "bus", events: [], queue: SUBSCRIBER_QUEUE };
  const project = {
    ...{ repository: "r", ref: "refs/heads/main", file: "f", nodes: [], constraints: [] },
    subscribers: [subscriber],
  };
  await addProject({ store, records }, SPACE_PROJECT, project, undefined, signal);
  await enableSpace(ports, SPACE_PROJECT, signal);
  await rotateKey(ports, SPACE_PROJECT, { purpose: "client", overlapMs: 0 }, signal);
  await notifyOfUploads(ports, SPACE_PROJECT, true, signal);
  const prefix = volumePrefix(SPACE_PROJECT, PUBLISHED_VOLUME);
  const head = await takeSnapshot({ store, prefix }, signal);
  const loaded = await records.load(SPACE_PROJECT, signal);
  if (loaded === null) throw new Error("no project");
  const volumes = { [PUBLISHED_VOLUME]: { ...PUBLISHED, head, snapshots: [head] } };
  await records.save(SPACE_PROJECT, loaded, { ...loaded.state, volumes }, signal);
  const space = await findSpace(ports, SPACE_PROJECT, signal);
  if (space === null || space.notificationToken === null) throw new Error("no space");
  return {
    space,
    token: space.notificationToken,
    bucket: ports.openWith(space),
    accounts: ports.accounts,
  };
};

const PUBLISHED = newVolume({ onNodeLoss: "wait", publish: "s3" }, Epoch.parse(1));

const takeSnapshot = async (
  place: Pick<Parameters<typeof writeSnapshot>[0], "store" | "prefix">,
  signal: AbortSignal,
) => {
  const scratch = mkdtempSync(join(tmpdir(), "bagage-emulated-space-"));
  const directory = join(scratch, "data");
  mkdirSync(directory);
  writeFileSync(join(directory, "page.html"), "<p>page</p>");
  const id = SnapshotId.parse(randomUUID());
  const indexFile = join(scratch, "index");
  const taken = await writeSnapshot(
    {
      ...place,
      ...{ directory, indexFile, parentIndexFile: indexFile, snapshotId: id, epoch: 1 },
      ...{ attempt: id, parent: null, fileSystem: linuxFileSystem },
    },
    signal,
  ).finally(() => rmSync(scratch, { recursive: true }));
  const { digest, files, bytes, storedBytes } = taken;
  const facts = { takenAtMs: Date.now(), kind: "final", stopped: "clean", deployId: null } as const;
  return { id, epoch: Epoch.parse(1), digest, files, bytes, storedBytes, ...facts };
};
