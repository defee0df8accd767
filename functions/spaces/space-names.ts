/** What a project's space is called in the store: its bucket, its user, and the places in it. */
import { createHash } from "node:crypto";
import type { ProjectId, VolumeName } from "../../workflows/ids.ts";

/** S3's bound for bucket names, which are also host names: no `_`, no `..`, no `.-`. */
const BUCKET_LENGTH_MAX = 63;
const BUCKET = /^[a-z0-9](?:[a-z0-9-]|\.(?=[a-z0-9]))*[a-z0-9]$/;
const DIGEST_DIGITS = 10;

/** IAM's bound for user names, less what a project's second user is told apart by. */
const USER_LENGTH_MAX = 50;

/** The project's name behind the prefix; where S3 would refuse that, a digest tells names apart. */
export const bucketOf = (prefix: string, project: ProjectId): string => {
  const plain = `${prefix}${project}`;
  if (plain.length <= BUCKET_LENGTH_MAX && BUCKET.test(plain) && !plain.includes("-.")) {
    return plain;
  }
  const digest = digestOf(project);
  const readable = plain
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .slice(0, BUCKET_LENGTH_MAX - DIGEST_DIGITS - 1);
  return `${readable}-${digest}`;
};

export const userOf = (prefix: string, project: ProjectId): string => {
  const plain = `${prefix}project.${project}`;
  if (plain.length <= USER_LENGTH_MAX) return plain;
  return `${plain.slice(0, USER_LENGTH_MAX - DIGEST_DIGITS - 1)}.${digestOf(project)}`;
};

const digestOf = (project: ProjectId): string =>
  createHash("sha256").update(project).digest("hex").slice(0, DIGEST_DIGITS);

/** Written by the platform alone. */
export const PUBLISHED_PREFIX = "volumes/";
export const publishedPrefix = (volume: VolumeName): string => `${PUBLISHED_PREFIX}${volume}/`;

/** What the platform tells about published volumes and taken files; written by it alone. */
export const NOTES_PREFIX = ".bagage/";
export const markerKey = (volume: VolumeName): string => `${NOTES_PREFIX}${volume}/snapshot.json`;
export const leftOutKey = (volume: VolumeName): string => `${NOTES_PREFIX}${volume}/left-out.json`;

/** Files on their way into a volume. */
export const inboxPrefix = (volume: VolumeName): string => `inbox/${volume}/`;
