/** Wrong changes of the rules of what is retained, and what is garbage. */
import { type Mutant, mutantOf } from "./mutant.ts";

const live = mutantOf("workflows/snapshots/receive-snapshot.ts");
const writer = mutantOf("workflows/snapshots/live-writer.ts");
const clones = mutantOf("workflows/snapshots/change-clones.ts");
const garbage = mutantOf("workflows/retention/find-garbage.ts");
const keep = mutantOf("workflows/retention/choose-snapshots.ts");
const rule = mutantOf("volume/is-garbage.ts");

export const SNAPSHOT_MUTANTS: readonly Mutant[] = [
  live(
    "a snapshot of an older epoch counts",
    "volume === undefined || volume.epoch !== epoch || ",
    "volume === undefined || ",
    "it is refused as one of another epoch all the same",
  ),
  live("a snapshot of an older number counts", " || volume.sequence !== sequence", ""),
  live("anybody's snapshot counts", "if (liveWriter(state, name) !== node) return UNCHANGED;", ""),
  live(
    "a snapshot counts whose parent is let go of",
    "parent !== null && !volume.snapshots.some(({ id }) => id === parent)",
    "false",
  ),
  live("a snapshot counts that is not whole", "if (!isWhole) return", "if (false) return"),
  live(
    "restore points are let go of while a deploy runs",
    "const kept = isMoving(state, name)",
    "const kept = false",
  ),
  live("a number is used again", "sequence: sequence + 1,", "sequence,"),
  writer(
    "a volume is snapshot live after it was drained",
    "return hasDrained ? null : owner;",
    "return owner;",
  ),
  clones(
    "a restore point that is gone is pinned",
    "return volume.snapshots.some(({ id }) => id === pin.snapshotId) ? [...volume.pins, pin] : null;",
    "return [...volume.pins, pin];",
  ),
  garbage(
    "the next number counts as over",
    "Number(number) < sequence",
    "Number(number) <= sequence",
  ),
  garbage(
    "any ended deploy ends every attempt",
    "state.endedAttempts.some((id) => id === name)",
    "state.endedAttempts.length > 0",
  ),
  garbage("restore points are no roots", "...(volume?.snapshots.map(({ id }) => id) ?? []),", ""),
  garbage("pins are no roots", "...(volume?.pins.map(({ snapshotId }) => snapshotId) ?? []),", ""),
  garbage(
    "the head is no root",
    "...(volume?.head === null || volume === undefined ? [] : [volume.head.id]),",
    "",
    "it is the newest restore point",
  ),
  garbage(
    "what a deploy copied is no root",
    "...(move?.copies.map(({ snapshotId }) => snapshotId) ?? []),",
    "",
    "its attempts are not over, and what it began with is retained",
  ),
  keep("what is pinned is let go of", " || pinned.includes(s.id)", ""),
  keep("one restore point too few is kept", "slice(0, last)", "slice(0, last - 1)"),
  rule(
    "what is needed is garbage once its writer is over",
    "!object.isReachable && object.writer",
    "object.writer",
  ),
  rule("the current epoch is an older one", "epoch < currentEpoch", "epoch <= currentEpoch"),
  rule("only older epochs are over", " || endedAttempts.has(attempt)", ""),
  rule("every attempt is over", "endedAttempts.has(attempt)", "true"),
];
