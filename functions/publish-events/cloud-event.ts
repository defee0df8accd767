/** An event of a project in the form of CloudEvents 1.0: github.com/cloudevents/spec */
import * as z from "zod";
import { ProjectEvent } from "../../workflows/events/project-event.ts";
import type { Revision } from "../../workflows/ids.ts";

const TYPE_PREFIX = "bagage.";

export const CloudEvent = z.strictObject({
  specversion: z.literal("1.0"),
  /**
   * `project/revision/index`, or `project/objects/digest`: the same event has the same id each time that
   * it is sent.
   */
  id: z.string(),
  source: z.string().startsWith("/projects/"),
  type: z.string().startsWith(TYPE_PREFIX),
  /** When the revision was written that made it so. */
  time: z.iso.datetime(),
  datacontenttype: z.literal("application/json"),
  data: ProjectEvent,
});
export type CloudEvent = z.infer<typeof CloudEvent>;

export interface EventPlace {
  readonly rev: Revision;
  /** Among the events of the revision. */
  readonly index: number;
  readonly atMs: number;
}

/** What every event says of itself. */
export const EVENT_FORM = { specversion: "1.0", datacontenttype: "application/json" } as const;

export const toCloudEvent = (event: ProjectEvent, place: EventPlace): CloudEvent => ({
  ...EVENT_FORM,
  id: `${event.project}/${place.rev}/${place.index}`,
  source: `/projects/${event.project}`,
  type: `${TYPE_PREFIX}${event.type}`,
  time: new Date(place.atMs).toISOString(),
  data: event,
});
