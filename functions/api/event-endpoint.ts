/**
 * Live updates by server-sent events. An answer holds what happened since the last event that the
 * reader has, or waits some seconds for something to happen, and ends; an EventSource asks again by
 * itself. So it is the same behind a gateway that can't stream. html.spec.whatwg.org/#server-sent-events
 */
import * as z from "zod";
import { eventsBetween } from "../../workflows/events/events-between.ts";
import { type ProjectId, Revision } from "../../workflows/ids.ts";
import { type CloudEvent, toCloudEvent } from "../publish-events/cloud-event.ts";
import { type ApiPorts, type Endpoint, endpoint } from "./endpoint.ts";
import { noSuch } from "./read-endpoints.ts";

const WAIT_MS = 20_000;
const LOOK_EVERY_MS = 500;
/** In one answer; the reader asks for the rest. */
const REVISIONS_MAX = 100;
/** How soon an EventSource asks again. */
const RETRY_MS = 250;

export const EVENT_ENDPOINT: Endpoint = endpoint({
  ...{ method: "GET", path: "/v1/projects/{project}/events", id: "followEvents" },
  summary: "Server-sent events: each a CloudEvent, from after `Last-Event-ID` or `after`",
  query: z.object({ after: z.string().optional() }),
  answers: { 200: z.string() },
  handle: async (ports, { project, query, headers }, signal) => {
    const loaded = project === null ? null : await ports.records.load(project, signal);
    if (project === null || loaded === null) throw noSuch("project");
    const after = parseEventId(headers["last-event-id"] ?? query.after);
    const start = after ?? { rev: loaded.rev, index: Number.POSITIVE_INFINITY };
    const waitUntilMs = ports.nowMs() + WAIT_MS;
    let events = await readEvents(ports, project, start, signal);
    while (events.length === 0 && ports.nowMs() < waitUntilMs) {
      await ports.sleep(LOOK_EVERY_MS, signal);
      events = await readEvents(ports, project, start, signal);
    }
    return { status: 200, body: renderStream(events), contentType: "text/event-stream" };
  },
});

interface EventPosition {
  readonly rev: number;
  readonly index: number;
}

/** `project/revision/index`, as events are named; null: from now on. */
const parseEventId = (id: string | undefined): EventPosition | null => {
  const match = /(\d{1,12})\/(\d{1,6})$/.exec(id ?? "");
  return match === null ? null : { rev: Number(match[1]), index: Number(match[2]) };
};

const readEvents = async (
  ports: ApiPorts,
  project: ProjectId,
  after: EventPosition,
  signal: AbortSignal,
): Promise<CloudEvent[]> => {
  const events: CloudEvent[] = [];
  let before =
    after.rev === 0 ? null : await ports.records.at(project, Revision.parse(after.rev - 1), signal);
  for (let rev = after.rev; rev < after.rev + REVISIONS_MAX; rev += 1) {
    const now = await ports.records.at(project, Revision.parse(rev), signal);
    if (now === null) break;
    const told = eventsBetween(before?.state ?? null, now.state).map((event, index) =>
      toCloudEvent(event, { rev: now.rev, index, atMs: now.writtenAtMs }),
    );
    events.push(...(rev === after.rev ? told.slice(after.index + 1) : told));
    before = now;
  }
  return events;
};

const renderStream = (events: readonly CloudEvent[]): string => {
  const blocks = events.map(
    (event) => `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n`,
  );
  return [`retry: ${RETRY_MS}\n`, ...blocks].map((block) => `${block}\n`).join("");
};
