/**
 * The Deliverous file's form, key by key: Compose's names with Compose's meaning, and the keys of a
 * volume. Parsing gives values with their units resolved; the same schema is published for editors.
 * What concerns several keys or containers at once is in check-project.ts.
 */
import * as z from "zod";
import { ContainerName, VolumeName } from "../ids.ts";
import { parseConstraint } from "./constraints.ts";
import { parseDomain } from "./domains.ts";
import { parseHealthcheck } from "./healthcheck.ts";
import { parseMountPath } from "./mount-path.ts";
import { parseEnvironment, parseLabels } from "./name-values.ts";
import type { Outcome } from "./outcome.ts";
import { parsePort } from "./ports.ts";
import { parseCpus, parseDuration, parseMemoryLimit, parseSchedule } from "./quantities.ts";
import { parseCommand } from "./shell-words.ts";

const IMAGE_LENGTH_MAX = 512;
const KEPT_MAX = 200;
/** A grace period is waited out in every deploy, with the container's clients held. */
const STOP_GRACE_PERIOD = { minMs: 1, maxMs: 3_600_000 };
const HEALTH_TIME = { minMs: 1, maxMs: 24 * 3_600_000 };
const START_PERIOD = { minMs: 0, maxMs: 24 * 3_600_000 };
/** Clients that wait for longer have given up. */
const HOLD = { minMs: 0, maxMs: 600_000 };
const DOMAINS_MAX = 64;
const STANDBY_MAX = 3;
const MAX_PAUSE = { minMs: 1, maxMs: 24 * 3_600_000 };

/** Runs a parser as a zod transform: each flaw becomes an issue that carries its remedy. */
const by =
  <I, O>(parse: (input: I) => Outcome<O>) =>
  (input: I, context: z.RefinementCtx): O => {
    const outcome = parse(input);
    if (outcome.ok) return outcome.value;
    for (const { message, remedy, at = [] } of outcome.flaws) {
      context.addIssue({ code: "custom", message, path: [...at], params: { remedy } });
    }
    return z.NEVER;
  };

const duration = (bounds: { minMs: number; maxMs: number }) =>
  z.string().transform(by((text) => parseDuration(text, bounds)));

const command = z.union([z.string(), z.array(z.string())]).transform(by(parseCommand));
const textOrNumber = z.union([z.string(), z.number()]);
const plainValue = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const nameValues = z.union([z.record(z.string(), plainValue), z.array(z.string())]);
const keptCount = z.int().min(0).max(KEPT_MAX);

/** The one valid name that every plain object has: `volumes["constructor"]` must not find it. */
export const isReservedName = (name: string): boolean => name === "constructor";

export const VolumeEntry = z.strictObject({
  name: VolumeName.refine((name) => !isReservedName(name), "the name is reserved").describe(
    "The volume: a directory of the project's own, shared by no other project.",
  ),
  path: z.string().transform(by(parseMountPath)).describe("Absolute mount point in the container."),
  read_only: z
    .boolean()
    .optional()
    .describe(
      "Follow the volume's last snapshot, from any node, instead of owning the volume. Default: false.",
    ),
  snapshot: z
    .string()
    .transform(by(parseSchedule))
    .optional()
    .describe(
      "Restore points while the container runs: `every 15m`. Default: at each deploy only.",
    ),
  keep: z
    .strictObject({
      last: keptCount.optional(),
      hourly: keptCount.optional(),
      daily: keptCount.optional(),
      weekly: keptCount.optional(),
      monthly: keptCount.optional(),
    })
    .optional()
    .describe(
      "How many restore points stay, by kind; the newest always does. Default: the last 20.",
    ),
  before_snapshot: command
    .optional()
    .describe(
      "Run in this container before a scheduled snapshot. Deploys stop the container instead.",
    ),
  before_copy: command
    .optional()
    .describe(
      "Run in this container before each copy that a deploy makes while it runs: what it flushes need not be moved once it is stopped.",
    ),
  publish: z.literal("s3").optional().describe("Show the files of each snapshot as S3 objects."),
  from: z
    .string()
    .regex(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:\/\P{Cc}*)?$/u)
    .optional()
    .describe("First content of a new volume: `s3://bucket/prefix`."),
  on_node_loss: z
    .enum(["wait", "restore"])
    .optional()
    .describe("A lost node: wait for it, or go on from the last snapshot. Default: wait."),
  max_pause: duration(MAX_PAUSE)
    .optional()
    .describe(
      "Refuse a deploy that is predicted to pause the container for longer. Default: no limit.",
    ),
  standby: z
    .int()
    .min(1)
    .max(STANDBY_MAX)
    .optional()
    .describe("How many other nodes keep its newest snapshot at hand. Default: none."),
});
export type VolumeEntry = z.infer<typeof VolumeEntry>;

const longPort = z.strictObject({
  target: textOrNumber,
  published: textOrNumber.optional(),
  protocol: z.string().optional(),
});

const longDomain = z.strictObject({ domain: z.string(), port: textOrNumber.optional() });

export const ContainerEntry = z.strictObject({
  image: z
    .string()
    .regex(/^[A-Za-z0-9[][^\s\p{Cc}]*$/u)
    .max(IMAGE_LENGTH_MAX)
    .describe("The image to run, as `docker pull` takes it."),
  command: command.optional().describe("Replaces the image's command: a line to split, or a list."),
  entrypoint: command.optional().describe("Replaces the image's entry point: a line, or a list."),
  environment: nameValues
    .transform(by(parseEnvironment))
    .optional()
    .describe("Environment variables: a map, or a list of KEY=VALUE."),
  ports: z
    .array(z.union([textOrNumber, longPort]).transform(by(parsePort)))
    .optional()
    .describe('Published TCP ports: "8080:80", or "80" for the same port on both sides.'),
  domains: z
    .array(z.union([z.string(), longDomain]).transform(by(parseDomain)))
    .max(DOMAINS_MAX)
    .optional()
    .describe("Names for clients of an edge: example.org, or example.org/api for a part of it."),
  hold: duration(HOLD)
    .optional()
    .describe("How long an edge holds a client while the container moves. Default: 30s."),
  user: textOrNumber
    .transform(String)
    .pipe(z.string().regex(/^[^\s\p{Cc}:]+(?::[^\s\p{Cc}:]+)?$/u))
    .optional()
    .describe("User, or user:group, by name or number."),
  healthcheck: z
    .strictObject({
      test: z.union([z.string(), z.array(z.string())]).optional(),
      interval: duration(HEALTH_TIME).optional(),
      timeout: duration(HEALTH_TIME).optional(),
      retries: z.int().min(1).max(1_000).optional(),
      start_period: duration(START_PERIOD).optional(),
      disable: z.boolean().optional(),
    })
    .transform(by(parseHealthcheck))
    .optional()
    .describe("When the container is healthy: the commit of a deploy waits for it."),
  stop_grace_period: duration(STOP_GRACE_PERIOD)
    .optional()
    .describe(
      "Time from SIGTERM to SIGKILL. Default: 30s, so that a database can write what it holds.",
    ),
  labels: nameValues.transform(by(parseLabels)).optional().describe("Labels of the container."),
  mem_limit: textOrNumber
    .transform(by(parseMemoryLimit))
    .optional()
    .describe("Memory limit: 512m."),
  cpus: textOrNumber.transform(by(parseCpus)).optional().describe("Processors it may use: 0.5."),
  deploy: z
    .strictObject({
      placement: z
        .strictObject({
          constraints: z.array(z.string().transform(by(parseConstraint))).optional(),
        })
        .optional(),
    })
    .optional()
    .describe("Which nodes may run it: `placement.constraints`, as `node.labels.zone == eu`."),
  s3: z
    .boolean()
    .optional()
    .describe("Pass the project's S3 access to the container, as AWS_… variables. Default: false."),
  volumes: z.array(VolumeEntry).optional().describe("The volumes that travel with the container."),
});
export type ContainerEntry = z.infer<typeof ContainerEntry>;

/** The whole file: containers by name, at the top level. */
export const DeliverousFile = z.record(ContainerName, ContainerEntry);
