/** Branded identifiers. Every id enters through its schema, so a NodeId is never a ProjectId. */
import * as z from "zod";

const NAME = /^[a-z0-9](?:[a-z0-9_.-]{0,61}[a-z0-9])?$/;

/** Lower-case letters, digits, `-`, `_`, `.`; 1 to 63 characters: safe in keys, paths, host names. */
const name = (what: string) =>
  z
    .string()
    .regex(NAME, `${what}: 1 to 63 of a-z 0-9 - _ . and a letter or digit at both ends`)
    .refine((value) => !value.includes(".."), `${what}: no ".."`);

export const ProjectId = name("project").brand("ProjectId");
export type ProjectId = z.infer<typeof ProjectId>;

export const NodeId = name("node").brand("NodeId");
export type NodeId = z.infer<typeof NodeId>;

export const VolumeName = name("volume name").brand("VolumeName");
export type VolumeName = z.infer<typeof VolumeName>;

export const ContainerName = name("container name").brand("ContainerName");
export type ContainerName = z.infer<typeof ContainerName>;

export const DeployId = z
  .string()
  .regex(/^[0-9a-z-]{8,64}$/)
  .brand("DeployId");
export type DeployId = z.infer<typeof DeployId>;

export const SnapshotId = z
  .string()
  .regex(/^[0-9a-z-]{8,64}$/)
  .brand("SnapshotId");
export type SnapshotId = z.infer<typeof SnapshotId>;

/** A full commit id as git prints it (SHA-1 or SHA-256). */
export const CommitId = z
  .string()
  .regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/)
  .brand("CommitId");
export type CommitId = z.infer<typeof CommitId>;

/** Of a data key or a wrapping key: the first bytes of a digest of it. */
export const KeyId = z
  .string()
  .regex(/^[0-9a-f]{16}$/)
  .brand("KeyId");
export type KeyId = z.infer<typeof KeyId>;

/** Grows with every right to start that a project's record hands out; never reused, never lowered. */
export const Epoch = z.int().nonnegative().brand("Epoch");
export type Epoch = z.infer<typeof Epoch>;

/** Counts the times that a node's lease began anew. A session that lapsed never holds again. */
export const LeaseSession = z.int().positive().brand("LeaseSession");
export type LeaseSession = z.infer<typeof LeaseSession>;

/** Position in a project's chain of records. */
export const Revision = z.int().nonnegative().brand("Revision");
export type Revision = z.infer<typeof Revision>;
