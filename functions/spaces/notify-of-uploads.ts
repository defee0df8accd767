/** Has the store tell of a project's uploads, at an address that only the store knows. */
import { randomBytes } from "node:crypto";
import type { UploadNotification } from "../../adapters/bucket-notification.ts";
import { TerminalError } from "../../volume/errors.ts";
import type { ProjectId } from "../../workflows/ids.ts";
import { OBJECT_EVENTS_PATH } from "../receive-object-events/receive-object-events.ts";
import { notificationId } from "../take-object-events/handler.ts";
import { openAsOwner, requireSpace, type Space, type SpacePorts, saveSpace } from "./space.ts";

const TOKEN_BYTES = 24;
/** What the platform writes itself is no upload. A regular expression of the gateway: ECMAScript's. */
const UPLOADS = String.raw`^(?!volumes/|\.bagage/).*`;

/** May be repeated, then with a new token: the old address is good for nothing from then on. */
export const notifyOfUploads = async (
  ports: SpacePorts,
  project: ProjectId,
  isOn: boolean,
  signal: AbortSignal,
): Promise<void> => {
  const space = await requireSpace(ports, project, signal);
  const { settings } = ports;
  const notificationToken = isOn ? randomBytes(TOKEN_BYTES).toString("base64url") : null;
  const bucket = openAsOwner(ports, space.bucket);
  try {
    if (notificationToken === null) {
      await bucket.setNotification(null, signal);
      await saveSpace(ports, project, { ...space, notificationToken }, signal);
      return;
    }
    // First: a gateway that pushes at once must be known.
    await saveSpace(ports, project, { ...space, notificationToken }, signal);
    const path = `${OBJECT_EVENTS_PATH}${project}/${notificationToken}`;
    const url = new URL(path, settings.notifyUrl);
    await bucket.setNotification(await findTarget(ports, { project, space, url }, signal), signal);
  } finally {
    bucket.close();
  }
};

/** On AWS a queue; there a bucket pushes to no address. */
const findTarget = async (
  { topics, settings, accounts }: SpacePorts,
  {
    project,
    space,
    url,
  }: { readonly project: ProjectId; readonly space: Space; readonly url: URL },
  signal: AbortSignal,
): Promise<UploadNotification> => {
  const id = notificationId(project);
  if (settings.notifyQueue !== null) return { kind: "queue", id, queue: settings.notifyQueue };
  if (accounts?.policies.kind === "user") {
    throw new TerminalError("on AWS a bucket pushes to no address", {
      code: "config-notify",
      hint: "set BAGAGE_NOTIFY_QUEUE to the ARN of bagage-object-events: docs/s3.md, On AWS",
    });
  }
  if (topics === null) {
    throw new TerminalError("this process has no key of the buckets' owner", {
      code: "config-publisher",
      hint: "set BAGAGE_PUBLISHER_ACCESS_KEY and BAGAGE_PUBLISHER_SECRET_KEY",
    });
  }
  const topic = await topics.put(space.bucket, url.href, signal);
  return { kind: "topic", id, topic, keys: UPLOADS };
};
