/**
 * Tells a project's subscribers what happened, in order, at least once: walks the revisions that each
 * has not been told of. Nothing but the chain is kept for it, and how far each subscriber is.
 */
import * as z from "zod";
import { subscriberSecretsKey, toldKey } from "../../adapters/store-keys.ts";
import { TerminalError } from "../../volume/errors.ts";
import { commitStatusOf } from "../../workflows/events/commit-status.ts";
import { eventsBetween } from "../../workflows/events/events-between.ts";
import { type Subscriber, SubscriberName, wants } from "../../workflows/events/subscriber.ts";
import { type ProjectId, Revision } from "../../workflows/ids.ts";
import type { ProjectState, RecordRevision } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { encodeJson, readJsonObject } from "../json-object.ts";
import { type CloudEvent, toCloudEvent } from "./cloud-event.ts";

/** The newest revision that each subscriber has been told of. */
export const Told = z.record(SubscriberName, Revision);
export type Told = z.infer<typeof Told>;
export const SubscriberSecrets = z.record(SubscriberName, z.string());

/** In one run; the next one goes on. */
const REVISIONS_MAX = 200;
/** A subscriber that takes nothing for so long misses what it did not take. */
const GIVE_UP_MS = 24 * 60 * 60_000;
const CONTENT_TYPE = "application/cloudevents+json; charset=utf-8";

/** Whether some subscriber has not been told all yet. */
export const publishEvents = async (
  ports: ControlPorts,
  project: ProjectId,
  signal: AbortSignal,
): Promise<{ readonly isBehind: boolean }> => {
  const loaded = await ports.records.load(project, signal);
  const subscribers = loaded?.state.settings.subscribers ?? [];
  if (loaded === null || subscribers.length === 0) return { isBehind: false };
  const told = (await readJsonObject(ports.store, toldKey(project), Told, signal)) ?? {};
  const secrets =
    (await readJsonObject(ports.store, subscriberSecretsKey(project), SubscriberSecrets, signal)) ??
    {};
  const behind = new Map<Subscriber, Revision>();
  for (const subscriber of subscribers) {
    // One that nothing is known of is told from the last revision on, not of years.
    const at = told[subscriber.name] ?? Revision.parse(Math.max(0, loaded.rev - 1));
    if (at < loaded.rev) behind.set(subscriber, at);
  }
  if (behind.size === 0) return { isBehind: false };
  const first = Math.min(...behind.values());
  const last = Math.min(loaded.rev, first + REVISIONS_MAX);
  let before = await ports.records.at(project, Revision.parse(first), signal);
  for (let rev = first + 1; rev <= last; rev += 1) {
    const now = await ports.records.at(project, Revision.parse(rev), signal);
    if (now === null) throw missingRevision(project, rev);
    const events = toCloudEvents(before, now);
    const due = [...behind].filter(([, at]) => at === rev - 1);
    await Promise.all(
      due.map(async ([subscriber]) => {
        const isTold = await tellAll(ports, { subscriber, secrets, events }, now, signal);
        if (isTold) behind.set(subscriber, now.rev);
      }),
    );
    before = now;
  }
  const progress = [...behind].map(([{ name }, at]): [string, Revision] => [name, at]);
  const next = { ...told, ...Object.fromEntries(progress) };
  await ports.store.put(toldKey(project), encodeJson(next), {}, signal);
  return { isBehind: progress.some(([, at]) => at < loaded.rev) };
};

/** Whether anybody is to be told of the project's events. */
export const hasSubscribers = ({ settings }: Pick<ProjectState, "settings">): boolean =>
  (settings.subscribers ?? []).length > 0;

/** Whether every subscriber has been told of the revision. */
export const isAllTold = async (
  { store }: Pick<ControlPorts, "store">,
  { project, settings }: ProjectState,
  rev: Revision,
  signal: AbortSignal,
): Promise<boolean> => {
  const told = (await readJsonObject(store, toldKey(project), Told, signal)) ?? {};
  return (settings.subscribers ?? []).every(({ name }) => (told[name] ?? 0) >= rev);
};

const toCloudEvents = (before: RecordRevision | null, now: RecordRevision): CloudEvent[] =>
  eventsBetween(before?.state ?? null, now.state).map((event, index) =>
    toCloudEvent(event, { rev: now.rev, index, atMs: now.writtenAtMs }),
  );

interface Telling {
  readonly subscriber: Subscriber;
  readonly secrets: Readonly<Record<string, string>>;
  readonly events: readonly CloudEvent[];
}

/** False: the subscriber can't be told now; it is tried again, until that makes no sense any more. */
const tellAll = async (
  ports: ControlPorts,
  { subscriber, secrets, events }: Telling,
  revision: RecordRevision,
  signal: AbortSignal,
): Promise<boolean> => {
  const { name } = subscriber;
  try {
    for (const event of events) {
      if (!wants(subscriber, event.data.type)) continue;
      await tell(ports, subscriber, { event, secret: secrets[name] ?? "" }, signal);
    }
    return true;
  } catch (error) {
    signal.throwIfAborted();
    const isLost =
      error instanceof TerminalError || ports.nowMs() - revision.writtenAtMs > GIVE_UP_MS;
    const data = { project: revision.state.project, subscriber: name, rev: revision.rev };
    ports.log.error({ ...data, err: error }, isLost ? "event.lost" : "event.delayed");
    return isLost;
  }
};

/** One event to one subscriber; throws when it was not taken. */
export const tell = async (
  ports: ControlPorts,
  subscriber: Subscriber,
  { event, secret }: { readonly event: CloudEvent; readonly secret: string },
  signal: AbortSignal,
): Promise<void> => {
  switch (subscriber.kind) {
    case "queue":
      return ports.send(subscriber.queue, event, signal);
    case "http": {
      const body = JSON.stringify(event);
      const { url } = subscriber;
      const post = {
        url,
        secret,
        id: event.id,
        sentAtMs: ports.nowMs(),
        contentType: CONTENT_TYPE,
      };
      return ports.events.post({ ...post, body }, signal);
    }
    case "commit-status": {
      const status = commitStatusOf(event.data);
      if (status === null) return;
      const { forge, url, repository } = subscriber;
      const request = { forge, url, repository, token: secret, ...status };
      return ports.events.setCommitStatus(request, signal);
    }
  }
};

const missingRevision = (project: ProjectId, rev: number): TerminalError =>
  new TerminalError(`revision ${rev} of ${project} is missing`, {
    code: "record-missing",
    hint: "revisions are kept for 30 days at least; look for who deletes objects",
  });
