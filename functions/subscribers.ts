/** Adds and removes those who are told of a project's events. Their secrets stand beside the record. */
import { randomBytes } from "node:crypto";
import { subscriberSecretsKey } from "../adapters/store-keys.ts";
import { TerminalError } from "../volume/errors.ts";
import type { Subscriber } from "../workflows/events/subscriber.ts";
import type { ProjectId } from "../workflows/ids.ts";
import { advanceProject } from "./advance-deploy/advance-project.ts";
import type { ControlPorts } from "./control-ports.ts";
import { encodeJson, readJsonObject } from "./json-object.ts";
import { SubscriberSecrets } from "./publish-events/publish-events.ts";

const SECRET_BYTES = 24;

/** For a new endpoint: what its receiver checks signatures with. */
export const newSigningSecret = (): string =>
  `whsec_${randomBytes(SECRET_BYTES).toString("base64")}`;

/** Takes the place of one of the same name. `secret` is null where there is nothing to keep. */
export const putSubscriber = async (
  ports: ControlPorts,
  project: ProjectId,
  { subscriber, secret }: { readonly subscriber: Subscriber; readonly secret: string | null },
  signal: AbortSignal,
): Promise<void> => {
  if (secret !== null) await changeSecrets(ports, project, { [subscriber.name]: secret }, signal);
  await configure(
    ports,
    project,
    (others) => [...others.filter(({ name }) => name !== subscriber.name), subscriber],
    signal,
  );
};

/** Throws TerminalError `unknown-subscriber`. */
export const removeSubscriber = async (
  ports: ControlPorts,
  project: ProjectId,
  name: string,
  signal: AbortSignal,
): Promise<void> => {
  await configure(
    ports,
    project,
    (all) => {
      const rest = all.filter((subscriber) => subscriber.name !== name);
      if (rest.length < all.length) return rest;
      throw new TerminalError(`project ${project} has no subscriber ${name}`, {
        code: "unknown-subscriber",
        hint: `bagage subscribers list ${project}`,
      });
    },
    signal,
  );
  await changeSecrets(ports, project, { [name]: undefined }, signal);
};

const configure = async (
  ports: ControlPorts,
  project: ProjectId,
  change: (subscribers: readonly Subscriber[]) => Subscriber[],
  signal: AbortSignal,
): Promise<void> => {
  const loaded = await ports.records.load(project, signal);
  const settings = loaded?.state.settings;
  if (settings === undefined) {
    throw new TerminalError(`there is no project ${project}`, { code: "unknown-project" });
  }
  const subscribers = change(settings.subscribers ?? []);
  const input = { type: "project.configured" as const, settings: { ...settings, subscribers } };
  await advanceProject(ports, { project, input, resend: false }, signal);
};

const changeSecrets = async (
  { store }: Pick<ControlPorts, "store">,
  project: ProjectId,
  changed: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<void> => {
  const key = subscriberSecretsKey(project);
  const known = (await readJsonObject(store, key, SubscriberSecrets, signal)) ?? {};
  // What is undefined is left out of the JSON.
  await store.put(key, encodeJson({ ...known, ...changed }), {}, signal);
};
