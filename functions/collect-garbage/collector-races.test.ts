/**
 * I8, nothing reachable is ever deleted: a model of the store under the real rules. Deploys, snapshots
 * outside of them, retention, crashes and collectors that were paused run into each other at random.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { propertyRuns } from "../../test/trees/test-settings.ts";
import { decide } from "../../workflows/deploy/decide.ts";
import {
  begin,
  DATA,
  NOW,
  one,
  projectOf,
  reportOf,
  running,
  spec,
  two,
  WEB,
  X,
  Y,
} from "../../workflows/deploy/given-deploys.ts";
import type { Input } from "../../workflows/deploy/messages.ts";
import { stepKind } from "../../workflows/deploy/steps.ts";
import { Epoch, SnapshotId } from "../../workflows/ids.ts";
import type { ProjectState, SnapshotRef } from "../../workflows/record.ts";
import { findRoots, isOverAttempt } from "../../workflows/retention/find-garbage.ts";
import { liveWriter } from "../../workflows/snapshots/live-writer.ts";

/** A snapshot, by the packs that it needs: its own, and those of its parent. */
interface Stored {
  readonly id: SnapshotId;
  readonly parent: SnapshotId | null;
  readonly own: string;
  readonly packs: readonly string[];
  readonly epoch: number;
  readonly attempt: string;
}

type Attempt = Stored & { readonly report: (isWhole: boolean) => Input };

const KEEP = { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0 };
const projects = [
  one,
  two,
  projectOf({ [WEB]: spec("three", X) }),
  projectOf({ [WEB]: spec("four", Y) }),
].map((project) => ({
  ...project,
  volumes: { [DATA]: { onNodeLoss: "wait" as const, keep: KEEP } },
}));

const openWorld = () => {
  let state: ProjectState = running;
  let count = 0;
  const packs = new Map<string, { readonly epoch: number; readonly attempt: string }>();
  const snapshots = new Map<SnapshotId, Stored>();
  const underWay: Attempt[] = [];
  const reported: Attempt[] = [];
  const collectors: ProjectState[] = [];
  const next = (): number => {
    count += 1;
    return count;
  };
  const fold = (input: Input): void => {
    const decision = decide(state, input);
    if (decision.kind === "changed") state = decision.state;
  };
  const write = ({ own, epoch, attempt, id, ...rest }: Stored): void => {
    packs.set(own, { epoch, attempt });
    snapshots.set(id, { own, epoch, attempt, id, ...rest });
  };
  /** A parent's packs are not asked for again: it is retained, or the snapshot does not count. */
  const isWhole = ({ own, id }: Stored): boolean => packs.has(own) && snapshots.has(id);
  const start = (
    attempt: string,
    epoch: number,
    parents: readonly SnapshotId[],
    choice: number,
  ): Stored => {
    const parent = parents.length === 0 ? null : (parents[choice % parents.length] ?? null);
    // Of what its parent needs it may need all, or nothing any more.
    const isRewritten = parent === null || choice % 3 === 0;
    const below = isRewritten ? [] : (snapshots.get(parent)?.packs ?? []);
    const id = SnapshotId.parse(`snapshot-${next()}`);
    const own = `e${epoch}/${attempt}/p-0`;
    return { id, parent, own, packs: [own, ...below], epoch, attempt };
  };
  const refOf = ({ id, epoch }: Stored, kind: SnapshotRef["kind"]): SnapshotRef => ({
    ...{ id, epoch: Epoch.parse(epoch), takenAtMs: NOW + count, digest: id, kind, deployId: null },
    ...{ files: 1, bytes: 1, storedBytes: 1, stopped: "running" as const },
  });
  const retained = () => state.volumes[DATA]?.snapshots.map(({ id }) => id) ?? [];

  const startStep = (choice: number): void => {
    const { deploy } = state;
    const owed = deploy?.phase.awaits[choice % Math.max(1, deploy.phase.awaits.length)];
    if (deploy === null || owed === undefined) return;
    const kind = stepKind(owed.step);
    const plain = reportOf({
      ...state,
      deploy: { ...deploy, phase: { ...deploy.phase, awaits: [owed] } },
    });
    if (plain.type !== "report.received") return;
    if (kind !== "copy" && kind !== "seal") {
      fold(plain);
      return;
    }
    const move = deploy.volumes[DATA];
    const copies = move?.copies.map(({ snapshotId }) => snapshotId) ?? [];
    const name = `${deploy.id}.${owed.step}.${next()}`;
    const stored = start(name, move?.from?.epoch ?? 0, [...retained(), ...copies], choice);
    const snapshot = refOf(stored, kind === "copy" ? "live" : "final");
    const volumes = { [DATA]: { snapshot, changedBytes: 1, durationMs: 1 } };
    const report = (whole: boolean): Input => ({
      ...plain,
      report: { ...plain.report, volumes },
      verifiedSnapshots: whole ? [snapshot.id] : [],
    });
    underWay.push({ ...stored, report });
  };
  const startLive = (choice: number): void => {
    const node = liveWriter(state, DATA);
    const volume = state.volumes[DATA];
    if (node === null || volume === undefined) return;
    const { epoch, sequence } = volume;
    const stored = start(`live-${sequence}.${next()}`, epoch, retained(), choice);
    const what = { project: state.project, volume: DATA, node, epoch, sequence, requestIds: [] };
    const report = (whole: boolean): Input => ({
      type: "snapshot.reported",
      report: { ...what, atMs: NOW, snapshot: refOf(stored, "live"), failure: null },
      parent: stored.parent,
      isWhole: whole,
      nowMs: NOW,
    });
    underWay.push({ ...stored, report });
  };
  const take = <T>(from: T[], choice: number): T | undefined =>
    from.splice(choice % Math.max(1, from.length), 1)[0];
  const collect = (read: ProjectState): void => {
    const volume = read.volumes[DATA];
    if (volume === undefined) return;
    const reachable = new Set<string>();
    for (const id of findRoots(read, DATA)) {
      const stored = snapshots.get(SnapshotId.parse(id));
      // As the real one: where a root is missing nothing can be told from garbage.
      if (stored === undefined) return;
      for (const pack of stored.packs) reachable.add(pack);
    }
    const isOver = ({ epoch, attempt }: { epoch: number; attempt: string }): boolean =>
      epoch < volume.epoch || isOverAttempt(read, volume, attempt);
    const roots = new Set(findRoots(read, DATA));
    for (const [name, pack] of packs) {
      if (!reachable.has(name) && isOver(pack)) packs.delete(name);
    }
    for (const [id, stored] of snapshots) {
      if (!roots.has(id) && isOver(stored)) snapshots.delete(id);
    }
  };
  const moves: ((choice: number) => void)[] = [
    startStep,
    startStep,
    startLive,
    (choice) => {
      const done = take(underWay, choice);
      if (done === undefined) return;
      write(done);
      reported.push(done);
    },
    (choice) => {
      const done = take(reported, choice);
      if (done !== undefined) fold(done.report(isWhole(done)));
    },
    // Its agent is killed when all is written but the report.
    (choice) => {
      const lost = take(underWay, choice);
      if (lost !== undefined) write(lost);
    },
    () => {
      collectors.push(state);
    },
    (choice) => {
      const read = take(collectors, choice);
      if (read !== undefined) collect(read);
    },
    (choice) => {
      const project = projects[choice % projects.length] ?? two;
      const letter = "abcdef"[choice % 6] ?? "a";
      state = begin(state, `request-${next()}`, letter, project);
    },
    () => fold({ type: "time.passed", nowMs: Number.MAX_SAFE_INTEGER }),
  ];
  // What the deploys before this began with is not in the model's store.
  const first = start("first", 0, [], 0);
  write(first);
  const volume = state.volumes[DATA];
  if (volume === undefined) throw new Error("there is no volume");
  const head = refOf(first, "final");
  const settings = { ...volume.settings, keep: KEEP };
  const began = { ...volume, settings, head, snapshots: [head] };
  state = { ...state, volumes: { [DATA]: began } };
  return {
    move: (kind: number, choice: number) => moves[kind % moves.length]?.(choice),
    taken: () => retained().length,
    missing: (): string[] =>
      findRoots(state, DATA).flatMap((id) => {
        const stored = snapshots.get(SnapshotId.parse(id));
        return stored === undefined ? [id] : stored.packs.filter((pack) => !packs.has(pack));
      }),
  };
};

test("I8: deploys, snapshots beside them, retention and paused collectors never lose a needed object", () => {
  const anyMoves = fc.array(fc.tuple(fc.nat(9), fc.nat(11)), { minLength: 40, maxLength: 120 });
  fc.assert(
    fc.property(anyMoves, (moves) => {
      const world = openWorld();
      for (const [kind, choice] of moves) {
        world.move(kind, choice);
        expect(world.missing()).toEqual([]);
      }
    }),
    { numRuns: propertyRuns(300) },
  );
});
