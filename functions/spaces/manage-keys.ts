/**
 * Enables a project's space and changes its keys. Every step may be repeated: what a broken run left
 * is found by the next one, for the store itself says which keys there are.
 */
import type { AccessKey, S3Accounts, SpaceQuota } from "../../adapters/s3-accounts.ts";
import type { S3Bucket } from "../../adapters/s3-bucket.ts";
import { EXPIRING_PREFIX, expiringKey } from "../../adapters/store-keys.ts";
import { TerminalError } from "../../volume/errors.ts";
import { ProjectId } from "../../workflows/ids.ts";
import {
  findSpace,
  type KeyPurpose,
  openAsOwner,
  requireAccounts,
  requireSpace,
  type Space,
  type SpaceKey,
  type SpacePorts,
  saveSpace,
} from "./space.ts";
import { bucketOf, userOf } from "./space-names.ts";
import { spacePolicy, spaceUserPolicy } from "./space-policy.ts";

/** A new key and the space it opens: the only time that its secret is told. */
export interface Granted {
  readonly space: Space;
  readonly key: AccessKey;
}

/** `key` is null when the space was there already: its key was shown when it was made. */
export const enableSpace = async (
  ports: SpacePorts,
  project: ProjectId,
  signal: AbortSignal,
): Promise<{ readonly space: Space; readonly key: AccessKey | null }> => {
  const accounts = requireAccounts(ports);
  const { prefix, endpoint, region } = ports.settings;
  const known = await findSpace(ports, project, signal);
  const bucket = known?.bucket ?? bucketOf(prefix, project);
  const user = known?.user ?? userOf(prefix, project);
  await accounts.ensureUser(user, signal);
  const owned = openAsOwner(ports, bucket);
  try {
    await owned.create(accounts.bucketLocation, signal);
    await allow(accounts, owned, user, signal);
  } finally {
    owned.close();
  }
  const blank = { keys: [], container: null, notificationToken: null };
  const space = { ...(known ?? blank), bucket, user, endpoint, region };
  const held = space.container === null ? await grant(ports, space, "container", signal) : null;
  const ready = held?.space ?? space;
  const hasKey = ready.keys.some(({ purpose }) => purpose === "client");
  const shown = hasKey ? null : await grant(ports, ready, "client", signal);
  await saveSpace(ports, project, shown?.space ?? ready, signal);
  return { space: shown?.space ?? ready, key: shown?.key ?? null };
};

/** Written again each time: a newer version may allow more, or less. */
const allow = async (
  { policies }: S3Accounts,
  bucket: S3Bucket,
  user: string,
  signal: AbortSignal,
): Promise<void> => {
  const { name } = bucket;
  if (policies.kind === "user") return policies.set(user, spaceUserPolicy(name), signal);
  const owner = policies.principalOf(await policies.ownerOf(name, signal));
  const parties = { bucket: name, owner, project: policies.principalOf(user) };
  await bucket.setPolicy(spacePolicy(parties), signal);
};

/** A new key beside the old ones, which go on working for `overlapMs`. */
export const rotateKey = async (
  ports: SpacePorts,
  project: ProjectId,
  request: { readonly purpose: KeyPurpose; readonly overlapMs: number },
  signal: AbortSignal,
): Promise<Granted> => {
  const space = await requireSpace(ports, project, signal);
  const granted = await grant(ports, space, request.purpose, signal);
  const expiresAtMs = ports.nowMs() + request.overlapMs;
  const keys = granted.space.keys.map((key) =>
    key.purpose === request.purpose &&
    key.expiresAtMs === null &&
    key.accessKeyId !== granted.key.accessKeyId
      ? { ...key, expiresAtMs }
      : key,
  );
  const rotated = { ...granted.space, keys };
  await saveSpace(ports, project, rotated, signal);
  for (const key of keys.filter((key) => key.expiresAtMs !== null)) {
    const due = expiringKey(key.expiresAtMs ?? 0, project, key.accessKeyId);
    await ports.store.put(due, new Uint8Array(), {}, signal);
  }
  return { space: rotated, key: granted.key };
};

/** From its return the key opens nothing. */
export const revokeKey = async (
  ports: SpacePorts,
  project: ProjectId,
  accessKeyId: string,
  signal: AbortSignal,
): Promise<void> => {
  const accounts = requireAccounts(ports);
  const space = await requireSpace(ports, project, signal);
  const working = await accounts.listKeys(space.user, signal);
  if (![...working, ...space.keys.map((key) => key.accessKeyId)].includes(accessKeyId)) {
    throw new TerminalError(`project ${project} has no key ${accessKeyId}`, {
      code: "unknown-key",
      hint: `bagage s3 keys ${project}`,
    });
  }
  await accounts.removeKey(space.user, accessKeyId, signal);
  const container = space.container?.accessKeyId === accessKeyId ? null : space.container;
  const keys = space.keys.filter((key) => key.accessKeyId !== accessKeyId);
  await saveSpace(ports, project, { ...space, container, keys }, signal);
};

export type ListedKey = Omit<SpaceKey, "purpose" | "createdAtMs"> & {
  /** Null: made by nobody here, or by a run that broke off. */
  readonly purpose: KeyPurpose | null;
  readonly createdAtMs: number | null;
};

/** What opens the space now, by the store's own word. */
export const listSpaceKeys = async (
  ports: SpacePorts,
  project: ProjectId,
  signal: AbortSignal,
): Promise<ListedKey[]> => {
  const space = await requireSpace(ports, project, signal);
  const working = await requireAccounts(ports).listKeys(space.user, signal);
  return working.sort().map((accessKeyId) => {
    const known = space.keys.find((key) => key.accessKeyId === accessKeyId);
    return known ?? { accessKeyId, purpose: null, createdAtMs: null, expiresAtMs: null };
  });
};

export const setSpaceQuota = async (
  ports: SpacePorts,
  project: ProjectId,
  quota: SpaceQuota,
  signal: AbortSignal,
): Promise<void> => {
  const { bucket } = await requireSpace(ports, project, signal);
  await requireAccounts(ports).setQuota(bucket, quota, signal);
};

/** Removes replaced keys whose time is over. Costs one listing when there is nothing to do. */
export const expireKeys = async (ports: SpacePorts, signal: AbortSignal): Promise<number> => {
  let removed = 0;
  if (ports.accounts === null) return removed;
  for await (const { key } of ports.store.list(EXPIRING_PREFIX, signal)) {
    const [atMs = "", name = "", accessKeyId = ""] = key.slice(EXPIRING_PREFIX.length).split("/");
    if (Number(atMs) > ports.nowMs()) break;
    const project = ProjectId.safeParse(name);
    if (project.success) {
      await revokeKey(ports, project.data, accessKeyId, signal).catch((error: unknown) => {
        const isGone = error instanceof TerminalError && GONE.includes(error.code);
        if (!isGone) throw error;
      });
      ports.log.info({ project: project.data, accessKeyId }, "key.expired");
    }
    await ports.store.delete([key], signal);
    removed += 1;
  }
  return removed;
};

const GONE = ["unknown-key", "no-space"];

const grant = async (
  ports: SpacePorts,
  space: Space,
  purpose: KeyPurpose,
  signal: AbortSignal,
): Promise<Granted> => {
  const accounts: S3Accounts = requireAccounts(ports);
  const key = await accounts.createKey(space.user, purpose, signal);
  const { accessKeyId } = key;
  const made = { accessKeyId, purpose, createdAtMs: ports.nowMs(), expiresAtMs: null };
  const container = purpose === "container" ? key : space.container;
  return { space: { ...space, container, keys: [...space.keys, made] }, key };
};
