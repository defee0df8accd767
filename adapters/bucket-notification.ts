/** Where a bucket tells of uploads, as AWS's S3 and Ceph's gateway want it said. */
import {
  type FilterRuleName,
  type NotificationConfiguration,
  PutBucketNotificationConfigurationCommand,
  type S3Client,
} from "@aws-sdk/client-s3";

export type UploadNotification =
  /** To a topic of Ceph's gateway, of keys that match a regular expression. */
  | { readonly kind: "topic"; readonly id: string; readonly topic: string; readonly keys: string }
  /** To a queue of AWS by its ARN, of all keys: S3 there can't leave any out. */
  | { readonly kind: "queue"; readonly id: string; readonly queue: string };

/** The only one of the bucket; null: none. */
export const replaceNotification = async (
  client: S3Client,
  Bucket: string,
  notification: UploadNotification | null,
  abortSignal: AbortSignal,
): Promise<void> => {
  const NotificationConfiguration = notification === null ? {} : configure(notification);
  const write = { Bucket, NotificationConfiguration };
  try {
    await client.send(new PutBucketNotificationConfigurationCommand(write), { abortSignal });
  } catch (error) {
    // Ceph's older gateways take no empty configuration, and have a DELETE of their own instead.
    if (notification !== null || (error as Error).name !== "MalformedXML") throw error;
    const command = asDelete(new PutBucketNotificationConfigurationCommand(write));
    await client.send(command, { abortSignal });
  }
};

/** The SDK has no such command. Made of this one: were it sent as it is, it would delete nothing. */
const asDelete = (
  command: PutBucketNotificationConfigurationCommand,
): PutBucketNotificationConfigurationCommand => {
  command.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as Changeable;
      request.method = "DELETE";
      request.body = undefined;
      for (const name of Object.keys(request.headers)) {
        if (/^content-|checksum/i.test(name)) delete request.headers[name];
      }
      return next(args);
    },
    { step: "build", priority: "low", name: "asDelete" },
  );
  return command;
};

/** What the SDK says of a request here is only that it is one. */
interface Changeable {
  method: string;
  body: unknown;
  readonly headers: Record<string, string>;
}

/** `regex` is Ceph's own word beside S3's `prefix` and `suffix`. */
const configure = (notification: UploadNotification): NotificationConfiguration => {
  const told = { Id: notification.id, Events: ["s3:ObjectCreated:*" as const] };
  if (notification.kind === "queue") {
    return { QueueConfigurations: [{ ...told, QueueArn: notification.queue }] };
  }
  const { topic, keys } = notification;
  const FilterRules = [{ Name: "regex" as FilterRuleName, Value: keys }];
  return { TopicConfigurations: [{ ...told, TopicArn: topic, Filter: { Key: { FilterRules } } }] };
};
