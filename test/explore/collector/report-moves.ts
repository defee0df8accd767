/**
 * The control looks at a report's snapshot in the store, and folds it: unless the record has changed
 * between the two, because then its write of the next revision loses.
 */
import { NOW, reportOf } from "../../../workflows/deploy/given-deploys.ts";
import type { Input } from "../../../workflows/deploy/messages.ts";
import { stepKind } from "../../../workflows/deploy/steps.ts";
import { DeployId, Epoch, SnapshotId } from "../../../workflows/ids.ts";
import type { ProjectState, SnapshotRef } from "../../../workflows/record.ts";
import type { GarbageRules } from "./garbage-rules.ts";
import { type GarbageScene, type Move, VOLUME } from "./garbage-scene.ts";
import { findDocument, type GarbageWorld, type Reported } from "./garbage-world.ts";

/** Later than any snapshot that the record holds. */
const LATEST = NOW + 1_000;

export const reportMoves = (scene: GarbageScene): Move[] =>
  scene.world.reports.map((report) =>
    report.found === null ? look(scene, report) : fold(scene, report, report.found),
  );

/** Whether the record may still take the report up. */
export const isAwaited = (
  { purpose }: Pick<Reported, "purpose">,
  record: ProjectState,
  isNumberAsked = true,
): boolean => {
  const volume = record.volumes[VOLUME];
  switch (purpose.kind) {
    case "step":
      return (
        record.deploy?.id === purpose.deployId &&
        record.deploy.phase.awaits.some(({ step }) => step === purpose.step)
      );
    case "live":
      return (
        volume?.epoch === purpose.epoch && (!isNumberAsked || volume.sequence === purpose.sequence)
      );
  }
};

/** Of what the trusted snapshot needs nothing is asked for: it is retained, and so all there. */
const look = ({ world, record }: GarbageScene, report: Reported): Move => {
  const document = findDocument(world, report.snapshotId);
  const parent = document?.parent ?? null;
  const trusted = findDocument(world, trustedId(record, report, parent) ?? "")?.objects ?? [];
  const isWhole =
    document?.objects.every((one) => trusted.includes(one) || world.objects.includes(one)) ?? false;
  const found = { isWhole, parent };
  const reports = world.reports.map((other) => (other === report ? { ...report, found } : other));
  return {
    label: `the control looks at ${report.snapshotId}: ${isWhole ? "it is whole" : "it lacks an object"}`,
    world: { ...world, reports },
  };
};

const trustedId = (record: ProjectState, { purpose }: Reported, parent: string | null) => {
  if (purpose.kind !== "step") return parent;
  const copies = record.deploy?.volumes[VOLUME]?.copies ?? [];
  const known = copies.findLast(({ isVerified }) => isVerified === true);
  return known?.snapshotId ?? record.volumes[VOLUME]?.head?.id ?? null;
};

const fold = (
  { world, record, rules }: GarbageScene,
  report: Reported,
  found: NonNullable<Reported["found"]>,
): Move => {
  const input = inputOf(record, report, found);
  const decision = input === null ? null : rules.decide(record, input);
  const reports = world.reports.filter((other) => other !== report);
  return {
    label: `the control takes up ${report.snapshotId}`,
    world: { ...world, reports },
    ...(decision?.kind === "changed" && { record: decision.state }),
  };
};

const inputOf = (
  record: ProjectState,
  { snapshotId, purpose }: Reported,
  { isWhole, parent }: NonNullable<Reported["found"]>,
): Input | null => {
  const id = SnapshotId.parse(snapshotId);
  if (purpose.kind === "live") {
    const node = record.volumes[VOLUME]?.owner ?? null;
    if (node === null) return null;
    const epoch = Epoch.parse(purpose.epoch);
    const what = { project: record.project, volume: VOLUME, node, epoch, requestIds: [] };
    const snapshot = refOf(id, purpose.epoch, "live");
    return {
      type: "snapshot.reported",
      report: { ...what, sequence: purpose.sequence, atMs: NOW, snapshot, failure: null },
      parent: parent === null ? null : SnapshotId.parse(parent),
      isWhole,
      nowMs: NOW,
    };
  }
  const plain = plainReport(record, purpose.step);
  if (plain === null) return null;
  const kind = stepKind(purpose.step) === "seal" ? ("final" as const) : ("live" as const);
  const snapshot = refOf(id, record.deploy?.volumes[VOLUME]?.from?.epoch ?? 0, kind);
  const volumes = { [VOLUME]: { snapshot, changedBytes: 1, durationMs: 1 } };
  return {
    ...plain,
    report: { ...plain.report, deployId: DeployId.parse(purpose.deployId), volumes },
    verifiedSnapshots: isWhole ? [id] : [],
  };
};

/** What the awaited node would say of a step that went well. */
export const plainReport = (record: ProjectState, step: string) => {
  const { deploy } = record;
  const owed = deploy?.phase.awaits.find((one) => one.step === step);
  if (deploy === null || owed === undefined) return null;
  const alone = { ...deploy, phase: { ...deploy.phase, awaits: [owed] } };
  const input = reportOf({ ...record, deploy: alone });
  return input.type === "report.received" ? input : null;
};

const refOf = (id: SnapshotId, epoch: number, kind: SnapshotRef["kind"]): SnapshotRef => ({
  ...{ id, epoch: Epoch.parse(epoch), takenAtMs: LATEST, digest: "", kind, deployId: null },
  ...{ files: 0, bytes: 0, storedBytes: 0, stopped: "clean" as const },
});

/** After any change of the record whoever had looked looks again; what it never takes up is nothing. */
export const afterChange = (
  world: GarbageWorld,
  record: ProjectState,
  { isNumberAsked }: GarbageRules,
): GarbageWorld => ({
  ...world,
  reports: world.reports
    .filter((report) => isAwaited(report, record, isNumberAsked))
    .map((report) => ({ ...report, found: null })),
});
