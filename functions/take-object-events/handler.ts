/**
 * What buckets on AWS tell of uploads, from the queue that they tell it to. The queue's policy lets
 * nobody but S3 of the same account send; which project is meant stands in the notification's name.
 */
import middy from "@middy/core";
import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import * as z from "zod";
import { ProjectId } from "../../workflows/ids.ts";
import type { ControlPorts } from "../control-ports.ts";
import {
  type ObjectRecord,
  ObjectRecords,
  tellUploads,
} from "../receive-object-events/tell-uploads.ts";
import { findSpace } from "../spaces/space.ts";
import { sqsBatch } from "../sqs-batch.ts";

export const OBJECT_EVENTS_QUEUE = "bagage-object-events";

const ID_PREFIX = "bagage-";
/** The name of a bucket's notification; S3 gives it back with each record. */
export const notificationId = (project: ProjectId): string => `${ID_PREFIX}${project}`;

/** Sent once when a notification is made. */
const Test = z.object({ Event: z.literal("s3:TestEvent") });
const Message = z.union([Test, ObjectRecords]);

export const createHandler = (ports: ControlPorts) =>
  middy<SQSEvent, SQSBatchResponse>().handler((event, _context, { signal }) =>
    sqsBatch(
      (record) => takeMessage(ports, record.body, signal),
      (error) => ports.log.error({ err: error }, "object-events.failed"),
    )(event),
  );

const takeMessage = async (
  ports: ControlPorts,
  body: string,
  signal: AbortSignal,
): Promise<void> => {
  const message = Message.parse(JSON.parse(body));
  if ("Event" in message) return;
  for (const record of message.Records) await takeRecord(ports, record, signal);
};

/** One of a project that has no notifications any more, or never had, is nobody's. */
const takeRecord = async (
  ports: ControlPorts,
  record: ObjectRecord,
  signal: AbortSignal,
): Promise<void> => {
  const id = record.s3.configurationId ?? "";
  const project = ProjectId.safeParse(id.slice(ID_PREFIX.length));
  if (!id.startsWith(ID_PREFIX) || !project.success) return;
  const space = await findSpace(ports, project.data, signal);
  if (space === null || space.notificationToken === null) return;
  const records = [withPlainKey(record)];
  await tellUploads(ports, { project: project.data, space, records }, signal);
};

/** On AWS keys come as in a form: `+` for a space, the rest in percent. */
const withPlainKey = (record: ObjectRecord): ObjectRecord => {
  const { object } = record.s3;
  const key = decodeURIComponent(object.key.replaceAll("+", " "));
  return { ...record, s3: { ...record.s3, object: { ...object, key } } };
};
