import { expect, test } from "vitest";
import { decide } from "../deploy/decide.ts";
import { duties, isOpen } from "../deploy/duties.ts";
import { DATA, given, running } from "../deploy/given-deploys.ts";
import type { Input } from "../deploy/messages.ts";
import { DeployId, Epoch, SnapshotId } from "../ids.ts";
import type { ProjectState, SnapshotRef, VolumeState } from "../record.ts";

const [ONE, TWO] = ["snapshot-one", "snapshot-two"].map((id) => SnapshotId.parse(id)) as [
  SnapshotId,
  SnapshotId,
];
const head = (id: SnapshotId): SnapshotRef => ({
  id,
  epoch: Epoch.parse(1),
  takenAtMs: 1,
  digest: "d",
  files: 1,
  bytes: 1,
  storedBytes: 1,
  kind: "final",
  stopped: "clean",
  deployId: DeployId.parse("deploy-1"),
});
const volumeOf = (state: ProjectState): VolumeState => state.volumes[DATA] as VolumeState;
const withVolume = (state: ProjectState, more: Partial<VolumeState>): ProjectState => ({
  ...state,
  volumes: { ...state.volumes, [DATA]: { ...volumeOf(state), ...more } },
});
const settings = { onNodeLoss: "wait" as const, publish: "s3" as const };
const quiet = { ...running, history: [] };
const published = withVolume(quiet, { settings, head: head(ONE) });

const claimed = (attempt: string, nowMs = 0): Input => ({
  type: "publication.claimed",
  volume: DATA,
  attempt,
  nowMs,
  untilMs: nowMs + 100,
});
const ended = (attempt: string, snapshotId: SnapshotId | null): Input => ({
  type: "publication.ended",
  volume: DATA,
  attempt,
  snapshotId,
});
const failed = (attempt: string): Input => ({
  type: "publication.failed",
  volume: DATA,
  attempt,
  reason: "no bucket",
  nowMs: 1,
});
const disturbed: Input = { type: "publication.disturbed", volume: DATA };
const targets = (state: ProjectState) =>
  duties(state).flatMap((duty) => (duty.kind === "publish" ? [duty.target] : []));

test("a volume with `publish: s3` owes its head until it is published, and nothing after", () => {
  expect(targets(published)).toEqual([ONE]);
  const done = given(published, claimed("a"), ended("a", ONE));
  expect(volumeOf(done).publication).toMatchObject({ snapshotId: ONE, target: null, claim: null });
  expect(isOpen(done)).toBe(false);
  expect(targets(withVolume(done, { head: head(TWO) }))).toEqual([TWO]);
});

test("a volume without `publish` owes nothing", () => {
  expect(isOpen(withVolume(quiet, { head: head(ONE) }))).toBe(false);
});

test("one publishes at a time; after its claim is over another goes on with the same snapshot", () => {
  const taken = given(published, claimed("a"));
  expect(decide(taken, claimed("b", 99))).toMatchObject({ code: "publication-claimed" });
  const newer = withVolume(taken, { head: head(TWO) });
  const takenOver = given(newer, claimed("b", 100));
  expect(volumeOf(takenOver).publication).toMatchObject({ target: ONE, claim: { attempt: "b" } });
  expect(decide(takenOver, ended("a", ONE))).toMatchObject({ code: "claim-lost" });
  expect(decide(takenOver, claimed("a", 150))).toMatchObject({ code: "publication-claimed" });
});

test("a publisher that was overtaken leaves nothing that is believed", () => {
  const done = given(published, claimed("a"), ended("a", ONE));
  const next = given(withVolume(done, { head: head(TWO) }), claimed("b", 1), disturbed);
  expect(volumeOf(next).publication).toMatchObject({ generation: 1, snapshotId: null });
  expect(decide(next, ended("b", TWO))).toMatchObject({ code: "claim-lost" });
  expect(targets(next)).toEqual([TWO]);
});

test("a failure waits for the next snapshot, or for an operator", () => {
  const stuck = given(published, claimed("a"), failed("a"));
  expect(volumeOf(stuck).publication?.failure).toMatchObject({ reason: "no bucket" });
  expect(isOpen(stuck)).toBe(false);
  expect(targets(withVolume(stuck, { head: head(TWO) }))).toEqual([ONE]);
  const request: Input = { type: "publication.requested", volume: DATA, full: false };
  expect(targets(given(stuck, request))).toEqual([ONE]);
});

test("no publish begins while clients wait for a deploy", () => {
  const deploy = { phase: { name: "draining" } } as ProjectState["deploy"] & object;
  const draining = { ...published, deploy };
  expect(decide(draining, claimed("a"))).toMatchObject({ code: "nothing-to-publish" });
  const under = given(published, claimed("a"));
  expect(decide({ ...under, deploy }, claimed("a", 50)).kind).toBe("changed");
});

test("taking `publish` out of the file takes the files away, also in the middle of a publish", () => {
  const off = { settings: { onNodeLoss: "wait" as const } };
  const done = withVolume(given(published, claimed("a"), ended("a", ONE)), off);
  expect(targets(done)).toEqual([null]);
  expect(volumeOf(given(done, claimed("b"), ended("b", null))).publication).toBeNull();
  const middle = withVolume(given(published, claimed("a")), off);
  expect(targets(given(middle, ended("a", ONE)))).toEqual([null]);
});
