/**
 * What the agent leaves for its guard, a process of its own that acts when the agent can't: until
 * when the node's lease lets things run, and what must be ended then. One small file on the node.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { LeaseSession, ProjectId } from "../workflows/ids.ts";
import { readJsonFile, writeFileDurably } from "./durable-file.ts";
import { ProcessIdentity } from "./process-identity.ts";

/** The first process of a container: with it the kernel ends all others of the container. */
export const GuardedContainer = z.strictObject({
  project: ProjectId,
  name: z.string(),
  init: ProcessIdentity,
  /** To end by itself, before it is killed. */
  graceMs: z.int().nonnegative(),
});
export type GuardedContainer = z.infer<typeof GuardedContainer>;

export const GuardOrders = z.strictObject({
  bootId: z.string(),
  session: LeaseSession,
  /** Milliseconds since the boot (suspended time included), so that any process can compare it. */
  deadlineMs: z.number(),
  /** The agent has closed its gates itself. */
  isLapsed: z.boolean(),
  /** How long after the deadline the guard takes the agent for stuck. */
  agentGraceMs: z.number(),
  agent: ProcessIdentity,
  /** `project/volume` of what must be guarded wherever it runs on this node. */
  guards: z.array(z.string()),
  containers: z.array(GuardedContainer),
});
export type GuardOrders = z.infer<typeof GuardOrders>;

export const guardLockPath = (root: string): string => join(root, "guard.lock");
const ordersPath = (root: string): string => join(root, "guard.json");
const identityPath = (root: string): string => join(root, "guard-process.json");

export const readGuardOrders = (root: string): Promise<GuardOrders | null> =>
  readJsonFile(ordersPath(root), GuardOrders);

export const writeGuardOrders = (root: string, orders: GuardOrders): Promise<void> =>
  writeFileDurably(ordersPath(root), JSON.stringify(orders));

/** The guard that was started last, dead or alive. */
export const readGuardIdentity = (root: string): Promise<ProcessIdentity | null> =>
  readJsonFile(identityPath(root), ProcessIdentity);

export const writeGuardIdentity = (root: string, identity: ProcessIdentity): Promise<void> =>
  writeFileDurably(identityPath(root), JSON.stringify(identity));

/** Says that this guard watches no longer. */
export const removeGuardIdentity = (root: string): Promise<void> =>
  rm(identityPath(root), { force: true });
