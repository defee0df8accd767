/** Projects: adding one, and what the webhook needs to know of it. */
import { randomBytes } from "node:crypto";
import pLimit from "p-limit";
import * as z from "zod";
import type { ProjectRecords } from "../adapters/project-records.ts";
import { PROJECTS_PREFIX, secretKey } from "../adapters/store-keys.ts";
import { ConflictError, TerminalError } from "../volume/errors.ts";
import type { ObjectStore } from "../volume/object-store.ts";
import { closestWord } from "../workflows/deliverous/closest-word.ts";
import { type DeployId, ProjectId } from "../workflows/ids.ts";
import { newProject } from "../workflows/new-project.ts";
import type { ProjectSettings } from "../workflows/project-settings.ts";
import type { EndedDeploy } from "../workflows/record.ts";
import { encodeJson, readJsonObject } from "./json-object.ts";

const SECRET_BYTES = 24;
const RECORDS_AT_ONCE = 8;

/** Newest first. Several secrets may be good at once, so that one can be replaced without a gap. */
const Secrets = z.strictObject({ webhookSecrets: z.array(z.string().min(16)).min(1) });

export interface ProjectPorts {
  readonly store: ObjectStore;
  readonly records: ProjectRecords;
}

/** Creates the project and its webhook secret, which is returned and not shown again. */
export const addProject = async (
  ports: ProjectPorts,
  project: ProjectId,
  settings: ProjectSettings,
  secret: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly webhookSecret: string }> => {
  const webhookSecret = secret ?? newSecret();
  const secrets = Secrets.parse({ webhookSecrets: [webhookSecret] });
  try {
    if ((await ports.records.load(project, signal)) !== null) throw taken(project);
    await ports.store.put(secretKey(project), encodeJson(secrets), {}, signal);
    await ports.records.save(project, null, newProject(project, settings), signal);
  } catch (error) {
    throw error instanceof ConflictError ? taken(project) : error;
  }
  return { webhookSecret };
};

/**
 * A new webhook secret, returned and not shown again. The newest old one stays good beside it, so that
 * no push is refused while the forge still has it; with `endOld` the new one alone is good.
 */
export const replaceSecret = async (
  { store, records }: ProjectPorts,
  project: ProjectId,
  { secret, endOld }: { readonly secret: string | undefined; readonly endOld: boolean },
  signal: AbortSignal,
): Promise<{ readonly webhookSecret: string }> => {
  const known = await readJsonObject(store, secretKey(project), Secrets, signal);
  if (known === null || (await records.load(project, signal)) === null) {
    throw new TerminalError(`there is no project ${project}`, { code: "unknown-project" });
  }
  const webhookSecret = secret ?? newSecret();
  const old = endOld ? [] : known.webhookSecrets.slice(0, 1);
  const secrets = Secrets.parse({ webhookSecrets: [webhookSecret, ...old] });
  await store.put(secretKey(project), encodeJson(secrets), {}, signal);
  return { webhookSecret };
};

const newSecret = (): string => randomBytes(SECRET_BYTES).toString("base64url");

const taken = (project: ProjectId): TerminalError =>
  new TerminalError(`project ${project} exists already`, {
    code: "project-exists",
    hint: `bagage status ${project}`,
  });

interface ListedProject {
  readonly project: ProjectId;
  readonly repository: string;
  readonly ref: string;
  /** The one that is under way (`result` is null), or the last that ended. */
  readonly deploy: { readonly id: DeployId; readonly result: EndedDeploy["result"] | null } | null;
}

/** By name. */
export const listProjects = async (
  { store, records }: ProjectPorts,
  signal: AbortSignal,
): Promise<ListedProject[]> => {
  const names = await store.listFolders(PROJECTS_PREFIX, signal);
  const limit = pLimit(RECORDS_AT_ONCE);
  const listed = await limit.map(names, async (name): Promise<ListedProject[]> => {
    const project = ProjectId.parse(name);
    const state = (await records.load(project, signal))?.state;
    if (state === undefined) return [];
    const { repository, ref } = state.settings;
    const ended = state.history.at(-1) ?? null;
    const last = state.deploy ?? ended;
    const result = state.deploy === null ? (ended?.result ?? null) : null;
    return [{ project, repository, ref, deploy: last === null ? null : { id: last.id, result } }];
  });
  return listed.flat();
};

/** With the name that was probably meant, where the listing of names is allowed. */
export const unknownProject = async (
  store: ObjectStore,
  project: ProjectId,
  signal: AbortSignal,
): Promise<TerminalError> => {
  const names = await store.listFolders(PROJECTS_PREFIX, signal).catch(() => []);
  const meant = closestWord(project, names);
  const add = `bagage project add ${project} --repository URL`;
  return new TerminalError(`there is no project ${project}`, {
    code: "unknown-project",
    hint: meant === null ? add : `did you mean ${meant}? A new one: ${add}`,
  });
};

/** What a push is checked against; null for a project that does not exist. */
export const findPushProject = async (
  ports: ProjectPorts,
  project: ProjectId,
  signal: AbortSignal,
): Promise<{ readonly webhookSecrets: string[]; readonly ref: string } | null> => {
  const loaded = await ports.records.load(project, signal);
  if (loaded === null) return null;
  const secrets = await readJsonObject(ports.store, secretKey(project), Secrets, signal);
  if (secrets === null) return null;
  return { webhookSecrets: secrets.webhookSecrets, ref: loaded.state.settings.ref };
};
