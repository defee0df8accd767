/** Broken variants of the rules of garbage, each of which must be found out. */
import { decide } from "../../../workflows/deploy/decide.ts";
import type { Epoch, SnapshotId } from "../../../workflows/ids.ts";
import type { ProjectState } from "../../../workflows/record.ts";
import { chooseSnapshots } from "../../../workflows/retention/choose-snapshots.ts";
import { garbageRule, type VolumeGarbage } from "../../../workflows/retention/find-garbage.ts";
import { type GarbageRules, REAL_GARBAGE_RULES } from "./garbage-rules.ts";
import { VOLUME } from "./garbage-scene.ts";

export interface GarbageVariant {
  readonly name: string;
  readonly says: string;
  readonly scenario: string;
  readonly rules: () => GarbageRules;
}

const ruleOtherwise = (
  other: (state: ProjectState, real: VolumeGarbage) => Partial<VolumeGarbage>,
): GarbageRules => ({
  ...REAL_GARBAGE_RULES,
  garbageRule: (state, name) => {
    const real = garbageRule(state, name);
    return real === null ? null : { ...real, ...other(state, real) };
  },
});

/** The rule without these roots, unless another reason makes them roots. */
const withoutRoots = (
  forgotten: (state: ProjectState) => readonly (SnapshotId | null | undefined)[],
  kept: (state: ProjectState) => readonly SnapshotId[],
): GarbageRules =>
  ruleOtherwise((state, { roots }) => ({
    roots: roots.filter((id) => !forgotten(state).includes(id) || kept(state).includes(id)),
  }));

const points = ({ volumes }: ProjectState): SnapshotId[] =>
  volumes[VOLUME]?.snapshots.map(({ id }) => id) ?? [];

/** Restore points are let go of as soon as a newer one comes, whatever a deploy began with. */
const retainAtOnce = (): GarbageRules => ({
  ...REAL_GARBAGE_RULES,
  decide: (state, input) => {
    const real = decide(state, input);
    if (input.type !== "snapshot.reported" || real.kind !== "changed") return real;
    const volume = real.state.volumes[VOLUME];
    if (volume === undefined || volume.head === null) return real;
    const { snapshots, settings, head } = volume;
    const { kept } = chooseSnapshots(snapshots, settings.keep, [head.id]);
    const volumes = { ...real.state.volumes, [VOLUME]: { ...volume, snapshots: kept } };
    return { ...real, state: { ...real.state, volumes } };
  },
});

/** The record takes a snapshot for one of its next number, and keeps its report waiting for that. */
const takeAnyNumber = (): GarbageRules => ({
  ...REAL_GARBAGE_RULES,
  isNumberAsked: false,
  decide: (state, input) => {
    const sequence = state.volumes[VOLUME]?.sequence;
    if (input.type !== "snapshot.reported" || sequence === undefined) return decide(state, input);
    return decide(state, { ...input, report: { ...input.report, sequence } });
  },
});

export const GARBAGE_VARIANTS: readonly GarbageVariant[] = [
  {
    name: "unreachable-suffices",
    says: "what no root reaches is deleted, whoever is still at work on it",
    scenario: "collect-slow",
    rules: () => ({ ...REAL_GARBAGE_RULES, isGarbage: ({ isReachable }) => !isReachable }),
  },
  {
    name: "collect-running-attempts",
    says: "an attempt is over as soon as it bears the number that is next",
    scenario: "collect-slow",
    rules: () =>
      ruleOtherwise((state, { endedAttempts }) => ({
        endedAttempts: {
          has: (attempt) =>
            endedAttempts.has(attempt) ||
            attempt.startsWith(`live-${state.volumes[VOLUME]?.sequence}.`),
        },
      })),
  },
  {
    name: "collect-running-deploy",
    says: "what the running deploy wrote counts as over",
    scenario: "collect-copy",
    rules: () =>
      ruleOtherwise((state, { endedAttempts }) => ({
        endedAttempts: {
          has: (attempt) =>
            endedAttempts.has(attempt) || attempt.split(".")[0] === String(state.deploy?.id),
        },
      })),
  },
  {
    name: "collect-current-epoch",
    says: "what was written under the current epoch is as old as what was before it",
    scenario: "collect-slow",
    rules: () =>
      ruleOtherwise((_state, { currentEpoch }) => ({ currentEpoch: (currentEpoch + 1) as Epoch })),
  },
  {
    name: "only-head-is-root",
    says: "older restore points are no roots",
    scenario: "collect-restore",
    rules: () =>
      withoutRoots(points, ({ volumes }) => {
        const head = volumes[VOLUME]?.head?.id;
        return head === undefined ? [] : [head];
      }),
  },
  {
    name: "pins-are-no-roots",
    says: "what a clone pinned is no root",
    scenario: "collect-clone",
    rules: () =>
      withoutRoots(
        ({ volumes }) => volumes[VOLUME]?.pins.map(({ snapshotId }) => snapshotId) ?? [],
        points,
      ),
  },
  {
    name: "clone-without-pin",
    says: "a clone begins as a restore point that it has not pinned",
    scenario: "collect-clone",
    rules: () => ({ ...REAL_GARBAGE_RULES, clonePins: false }),
  },
  {
    name: "retention-in-a-deploy",
    says: "restore points that a running deploy began with are let go of before it ends",
    scenario: "collect-copy",
    rules: retainAtOnce,
  },
  {
    name: "number-not-asked",
    says: "a snapshot counts although the volume's sequence has gone past its number",
    scenario: "collect-slow",
    rules: takeAnyNumber,
  },
  {
    name: "refers-to-what-is-there",
    says: "a snapshot skips the upload of what the store has already, whoever wrote it",
    scenario: "collect-one",
    rules: () => ({ ...REAL_GARBAGE_RULES, refersTo: "what is there" }),
  },
  {
    name: "keys-used-again",
    says: "a second try writes under the keys of the first",
    scenario: "collect-slow",
    rules: () => ({ ...REAL_GARBAGE_RULES, keys: "used again" }),
  },
];
