/**
 * What a container and its volumes are asked to be, as the rules and the nodes see it: defaults
 * filled in, units explicit. The Deliverous file is parsed into this; the record stores it.
 */
import * as z from "zod";
import { ContainerName, VolumeName } from "./ids.ts";

export const VolumeMount = z.strictObject({
  name: VolumeName,
  /** Absolute, normalised mount point in the container. */
  path: z.string().startsWith("/"),
  /** Follows the volume's last snapshot from any node instead of owning the volume. */
  readOnly: z.boolean(),
});
export type VolumeMount = z.infer<typeof VolumeMount>;

export const PortMapping = z.strictObject({
  hostPort: z.int().min(1).max(65_535),
  containerPort: z.int().min(1).max(65_535),
  protocol: z.literal("tcp"),
});
export type PortMapping = z.infer<typeof PortMapping>;

/** Requests of the host, at the path or below it, go to the container's port. */
export const Domain = z.strictObject({
  host: z.string().min(1),
  path: z.string().startsWith("/"),
  containerPort: z.int().min(1).max(65_535),
});
export type Domain = z.infer<typeof Domain>;

/** Compose's healthcheck. `test` is Docker's form: `["CMD", …]`, `["CMD-SHELL", "…"]` or `["NONE"]`. */
export const Healthcheck = z.strictObject({
  test: z.array(z.string()).min(1),
  intervalMs: z.int().positive(),
  timeoutMs: z.int().positive(),
  retries: z.int().positive(),
  startPeriodMs: z.int().nonnegative(),
});
export type Healthcheck = z.infer<typeof Healthcheck>;

/** `node.labels.zone == eu` → { key: "zone", operator: "==", value: "eu" }; `node.id` has key "id". */
export const PlacementConstraint = z.strictObject({
  subject: z.enum(["label", "id"]),
  key: z.string(),
  operator: z.enum(["==", "!="]),
  value: z.string(),
});
export type PlacementConstraint = z.infer<typeof PlacementConstraint>;

export const ContainerSpec = z.strictObject({
  image: z.string().min(1),
  command: z.array(z.string()).optional(),
  entrypoint: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()),
  ports: z.array(PortMapping),
  /** Absent: none. */
  domains: z.array(Domain).optional(),
  /** Gets the project's S3 access in its environment, at each start. */
  s3: z.literal(true).optional(),
  /** How long an edge holds a client while the container can't be reached. Absent: the default. */
  holdMs: z.int().nonnegative().optional(),
  user: z.string().optional(),
  healthcheck: Healthcheck.optional(),
  stopGracePeriodMs: z.int().positive(),
  labels: z.record(z.string(), z.string()),
  memLimitBytes: z.int().positive().optional(),
  cpus: z.number().positive().optional(),
  constraints: z.array(PlacementConstraint),
  volumes: z.array(VolumeMount),
});
export type ContainerSpec = z.infer<typeof ContainerSpec>;

/** How many restore points to keep, per kind of interval. */
export const KeepPolicy = z.strictObject({
  last: z.int().nonnegative(),
  hourly: z.int().nonnegative(),
  daily: z.int().nonnegative(),
  weekly: z.int().nonnegative(),
  monthly: z.int().nonnegative(),
});
export type KeepPolicy = z.infer<typeof KeepPolicy>;

/** What the project file says of a volume, whichever of its containers says it. */
export const VolumeSettings = z.strictObject({
  onNodeLoss: z.enum(["wait", "restore"]),
  maxPauseMs: z.int().positive().optional(),
  snapshotEveryMs: z.int().positive().optional(),
  keep: KeepPolicy.optional(),
  /** Run in the container before a scheduled snapshot; Docker's exec form. */
  beforeSnapshot: z.array(z.string()).optional(),
  /** The container that `beforeSnapshot` is run in: the one that asked for it. */
  beforeSnapshotIn: ContainerName.optional(),
  /** Run in the container before each copy of a deploy, like `beforeSnapshot`. */
  beforeCopy: z.array(z.string()).optional(),
  beforeCopyIn: ContainerName.optional(),
  publish: z.literal("s3").optional(),
  from: z.string().startsWith("s3://").optional(),
  /** How many other nodes keep the volume's newest snapshot at hand. Absent: none. */
  standby: z.int().positive().optional(),
});
export type VolumeSettings = z.infer<typeof VolumeSettings>;

/** A parsed project file. */
export const ProjectSpec = z.strictObject({
  containers: z.record(ContainerName, ContainerSpec),
  volumes: z.record(VolumeName, VolumeSettings),
});
export type ProjectSpec = z.infer<typeof ProjectSpec>;
