/**
 * What a gateway pushes of a project's bucket, told to the project's subscribers. The URL it pushes to
 * has a token that nobody else knows; what the body says is told on and decides nothing.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import * as z from "zod";
import { subscriberSecretsKey } from "../../adapters/store-keys.ts";
import type { ObjectCreated } from "../../workflows/events/project-event.ts";
import { wants } from "../../workflows/events/subscriber.ts";
import { ProjectId } from "../../workflows/ids.ts";
import type { ControlPorts } from "../control-ports.ts";
import { readBody } from "../http-body.ts";
import { HttpProblem } from "../http-problem.ts";
import { readJsonObject } from "../json-object.ts";
import { type CloudEvent, EVENT_FORM } from "../publish-events/cloud-event.ts";
import { SubscriberSecrets, tell } from "../publish-events/publish-events.ts";
import { findSpace, type Space } from "../spaces/space.ts";
import { NOTES_PREFIX, PUBLISHED_PREFIX } from "../spaces/space-names.ts";

/** A push has one record, or a few. */
const BODY_BYTES_MAX = 2 ** 20;
const RECORDS_MAX = 1_000;

const Records = z.object({
  Records: z
    .array(
      z.object({
        eventName: z.string(),
        eventTime: z.string(),
        s3: z.object({
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
type ObjectRecord = z.infer<typeof Records>["Records"][number];

export const OBJECT_EVENTS_PATH = "/object-events/";
const PATH = /^\/object-events\/([^/]+)\/([^/]+)$/;

/** 200 when every subscriber was told; any other answer makes the gateway push again. */
export const createReceiveObjectEvents =
  (ports: ControlPorts) =>
  async (
    event: APIGatewayProxyEventV2,
    signal: AbortSignal,
  ): Promise<APIGatewayProxyStructuredResultV2> => {
    const body = readBody(event, BODY_BYTES_MAX);
    const { project, space } = await authenticate(ports, event.rawPath, signal);
    const parsed = Records.safeParse(parseJson(body));
    if (!parsed.success) {
      const detail = "The body is no S3 notification.";
      throw new HttpProblem({ status: 400, code: "body-malformed", detail });
    }
    const told = parsed.data.Records.filter((record) => isUpload(space, record));
    await tellSubscribers(
      ports,
      project,
      told.map((record) => toEvent(project, record)),
      signal,
    );
    if (told.length > 0) ports.log.info({ project, objects: told.length }, "objects.created");
    return { statusCode: 200 };
  };

/** The same answer for a wrong token and for a project that is not there. */
const authenticate = async (
  ports: ControlPorts,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly project: ProjectId; readonly space: Space }> => {
  const [, name = "", token = ""] = PATH.exec(path) ?? [];
  const project = ProjectId.safeParse(decodeURIComponent(name));
  const space = project.success ? await findSpace(ports, project.data, signal) : null;
  const isGood = isSame(token, space?.notificationToken ?? "") && token !== "";
  if (project.success && space !== null && isGood) return { project: project.data, space };
  ports.log.warn({ project: name }, "object-event.refused");
  const detail = "The address is not one that this installation gave to a gateway.";
  throw new HttpProblem({ status: 401, code: "token-refused", detail });
};

const isSame = (a: string, b: string): boolean => {
  const [x, y] = [a, b].map((text) => createHash("sha256").update(text).digest());
  return x !== undefined && y !== undefined && timingSafeEqual(x, y);
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

const parseJson = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return null;
  }
};
