/** What nodes and control processes of neighbouring versions tell each other. */
import { expect, test } from "vitest";
import { Report, SnapshotReport } from "../workflows/deploy/messages.ts";
import { Lease } from "../workflows/node/lease.ts";
import { NodeStatus } from "../workflows/placement/node-status.ts";
import { ControlMessage, EdgeHint, NodeMessage, VolumePublish } from "./messages.ts";

/** With a key that only a newer version knows, wherever there is an object. */
const withNews = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withNews);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, withNews(inner)]);
  return { ...Object.fromEntries(entries), fromTheFuture: { a: 1 } };
};

const SNAPSHOT = {
  ...{ id: "00000001", epoch: 3, takenAtMs: 5, digest: "d", files: 1, bytes: 1, storedBytes: 1 },
  ...{ kind: "final", stopped: "clean", deployId: null },
};
const BRANCH = { node: "x", epoch: 3, keptAtMs: 1, bytes: 1, reason: "r" };
const HYDRATED = {
  ...{ snapshotId: "00000001", digest: "d", files: 1, bytes: 1, fetchedBytes: 0, reusedBytes: 1 },
  durationMs: 1,
};
const deployId = "0123456789ab";

/** As a newer version would write them: maps by name are left as they are. */
const TOLD = [
  [
    NodeMessage,
    withNews({ type: "volume.hydrate", version: 1, project: "p", deployId, step: "s" }),
  ],
  [ControlMessage, withNews({ type: "project.hint", project: "p", resend: true })],
  [ControlMessage, withNews({ type: "branch.kept", project: "p", volume: "v", branch: BRANCH })],
  [VolumePublish, withNews({ type: "volume.publish", project: "p", volume: "v" })],
  [EdgeHint, withNews({ type: "edge.hint", project: "p" })],
  [
    Lease,
    withNews({ node: "x", bootId: "b", session: 1, renewal: "r", ttlMs: 1, guards: ["p/v"] }),
  ],
  [
    Report,
    {
      ...(withNews({
        project: "p",
        deployId,
        step: "s",
        node: "x",
        atMs: 1,
        failure: null,
      }) as object),
      volumes: { v: withNews({ snapshot: SNAPSHOT, branch: BRANCH, hydrate: HYDRATED }) },
      containers: {},
    },
  ],
  [
    SnapshotReport,
    withNews({
      ...{ project: "p", volume: "v", node: "x", epoch: 3, sequence: 1, requestIds: [], atMs: 1 },
      ...{ snapshot: SNAPSHOT, failure: null },
    }),
  ],
  [
    NodeStatus,
    {
      ...(withNews({
        ...{ node: "x", bootId: "b", version: "9", address: "a", atMs: 1, cpus: 1, memoryBytes: 1 },
        ...{
          memoryReservedBytes: 0,
          diskFreeBytes: 0,
          containerCount: 0,
          warm: [],
          cordoned: false,
        },
        ports: [{ port: 1, project: "p" }],
      }) as object),
      labels: {},
    },
  ],
] as const;

test.for(TOLD)("what a newer version says beyond is left out: %#", ([schema, told]) => {
  const parsed = schema.parse(told);
  expect(JSON.stringify(parsed)).not.toContain("fromTheFuture");
});

test("a message of a higher version, or of an unknown type, is left to who knows it", () => {
  expect(NodeMessage.safeParse({ type: "node.hint", version: 2, project: "p" }).success).toBe(
    false,
  );
  expect(ControlMessage.safeParse({ type: "project.frozen", project: "p" }).success).toBe(false);
});
