/** Has the store tell of a project's uploads, at an address that only the store knows. */
import { randomBytes } from "node:crypto";
import { TerminalError } from "../../volume/errors.ts";
import type { ProjectId } from "../../workflows/ids.ts";
import { OBJECT_EVENTS_PATH } from "../receive-object-events/receive-object-events.ts";
import { openAsOwner, requireSpace, type SpacePorts, saveSpace } from "./space.ts";

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
  const { topics, settings } = ports;
  const notificationToken = isOn ? randomBytes(TOKEN_BYTES).toString("base64url") : null;
  const bucket = openAsOwner(ports, space.bucket);
  try {
    if (notificationToken === null) {
      await bucket.setNotification(null, signal);
      await saveSpace(ports, project, { ...space, notificationToken }, signal);
      return;
    }
    if (topics === null) {
      throw new TerminalError("this process has no key of the buckets' owner", {
        code: "config-publisher",
        hint: "set BAGAGE_PUBLISHER_ACCESS_KEY and BAGAGE_PUBLISHER_SECRET_KEY",
      });
    }
    // First: a gateway that pushes at once must be known.
    await saveSpace(ports, project, { ...space, notificationToken }, signal);
    const url = new URL(`${OBJECT_EVENTS_PATH}${project}/${notificationToken}`, settings.notifyUrl);
    const topic = await topics.put(space.bucket, url.href, signal);
    await bucket.setNotification({ topic, keys: UPLOADS }, signal);
  } finally {
    bucket.close();
  }
};
