/** S3's records of uploads, told to the project's subscribers: however they came here. */
import { createHash } from "node:crypto";
import * as z from "zod";
import { subscriberSecretsKey } from "../../adapters/store-keys.ts";
import type { ObjectCreated } from "../../workflows/events/project-event.ts";
import { wants } from "../../workflows/events/subscriber.ts";
import type { ProjectId } from "../../workflows/ids.ts";
import type { ControlPorts } from "../control-ports.ts";
import { readJsonObject } from "../json-object.ts";
import { type CloudEvent, EVENT_FORM } from "../publish-events/cloud-event.ts";
import { SubscriberSecrets, tell } from "../publish-events/publish-events.ts";
import type { Space } from "../spaces/space.ts";
import { NOTES_PREFIX, PUBLISHED_PREFIX } from "../spaces/space-names.ts";

/** A push has one record, or a few. */
const RECORDS_MAX = 1_000;

export const ObjectRecords = z.object({
  Records: z
    .array(
      z.object({
        eventName: z.string(),
        eventTime: z.string(),
        s3: z.object({
          /** The name of the bucket's notification: see notificationId. */
          configurationId: z.string().optional(),
          bucket: z.object({ name: z.string() }),
          object: z.object({
            key: z.string(),
            size: z.int().nonnegative().optional(),
            eTag: z.string().optional(),
            sequencer: z.string().optional(),
          }),
        }),
      }),
    )
    .max(RECORDS_MAX),
});
export type ObjectRecord = z.infer<typeof ObjectRecords>["Records"][number];

export interface Uploads {
  readonly project: ProjectId;
  readonly space: Space;
  /** Of any bucket: others' are left out, and so is what the platform wrote itself. */
  readonly records: readonly ObjectRecord[];
}

/** Returns when every subscriber was told; told again, the events have the same ids. */
export const tellUploads = async (
  ports: ControlPorts,
  { project, space, records }: Uploads,
  signal: AbortSignal,
): Promise<void> => {
  const told = records.filter((record) => isUpload(space, record));
  const events = told.map((record) => toEvent(project, record));
  await tellSubscribers(ports, project, events, signal);
  if (told.length > 0) ports.log.info({ project, objects: told.length }, "objects.created");
};

/** Of this bucket, and not the platform's own writing. */
const isUpload = ({ bucket }: Space, { eventName, s3 }: ObjectRecord): boolean =>
  eventName.includes("ObjectCreated") &&
  s3.bucket.name === bucket &&
  ![PUBLISHED_PREFIX, NOTES_PREFIX].some((prefix) => s3.object.key.startsWith(prefix));

const toEvent = (
  project: ProjectId,
  record: ObjectRecord,
): CloudEvent & { readonly data: ObjectCreated } => {
  const { key, size = 0, eTag = "", sequencer = "" } = record.s3.object;
  const digest = createHash("sha256")
    .update(JSON.stringify([key, eTag, sequencer, record.eventTime]))
    .digest("hex");
  const time = new Date(record.eventTime);
  const data = {
    type: "object.created" as const,
    project,
    bucket: record.s3.bucket.name,
    key,
    bytes: size,
    etag: eTag.replaceAll('"', ""),
  };
  return {
    ...EVENT_FORM,
    id: `${project}/objects/${digest}`,
    source: `/projects/${project}`,
    type: `bagage.${data.type}`,
    time: (Number.isNaN(time.getTime()) ? new Date(0) : time).toISOString(),
    data,
  };
};

const tellSubscribers = async (
  ports: ControlPorts,
  project: ProjectId,
  events: readonly CloudEvent[],
  signal: AbortSignal,
): Promise<void> => {
  const loaded = await ports.records.load(project, signal);
  const subscribers = loaded?.state.settings.subscribers ?? [];
  if (events.length === 0 || subscribers.length === 0) return;
  const key = subscriberSecretsKey(project);
  const secrets = (await readJsonObject(ports.store, key, SubscriberSecrets, signal)) ?? {};
  for (const event of events) {
    for (const subscriber of subscribers) {
      if (!wants(subscriber, event.data.type)) continue;
      await tell(ports, subscriber, { event, secret: secrets[subscriber.name] ?? "" }, signal);
    }
  }
};
