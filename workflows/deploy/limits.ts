/**
 * Bounds of a deploy. A deadline never moves ownership: in draining it asks for an abort, in starting
 * for an unstart; in unstarting and returning it only raises an alarm.
 */

/** Pre-copy has no cost for the clients, so its bound only frees a stuck deploy. */
export const COPY_DEADLINE_MS = 24 * 60 * 60_000;
/** Beyond the longest grace period of the containers that stop. */
export const DRAIN_DEADLINE_MS = 10 * 60_000;
export const HYDRATE_DEADLINE_MS = 60 * 60_000;
/** For what a target that has staged a copy still lacks when it starts. */
export const DELTA_DEADLINE_MS = 10 * 60_000;
/** Beyond the longest health start period of the containers that start. */
export const START_DEADLINE_MS = 5 * 60_000;
/** After this an operator is told; the deploy keeps waiting. */
export const RETURN_ALARM_MS = 5 * 60_000;

/** A copy of fewer bytes tells little about a rate: its fixed costs hide it. */
export const COPY_SMALL_BYTES = 16 * 2 ** 20;
/** Another round must promise to leave less than this share to move, or rounds have stopped helping. */
export const COPY_SHRINK_RATIO = 0.7;
/** And it must promise to save this much of the pause: it costs requests, and the user's time. */
export const COPY_WORTH_MS = 100;
export const COPY_ROUNDS_MAX = 12;

/** Ended deploys kept in the record; older ones stand in their receipts. */
export const HISTORY_COUNT_MAX = 20;
export const ENDED_ATTEMPTS_MAX = 200;
/** Restore points per volume when the file names no `keep`. */
export const SNAPSHOTS_KEPT_DEFAULT = 20;
export const SNAPSHOTS_KEPT_MAX = 200;
export const BRANCHES_MAX = 50;
export const LOSSES_MAX = 50;
/** While a deploy runs no restore point is let go of; beyond so many no further one is taken. */
export const SNAPSHOTS_HELD_MAX = 2 * SNAPSHOTS_KEPT_MAX;
export const SNAPSHOT_REQUESTS_MAX = 20;
export const SNAPSHOT_TRIES_MAX = 8;
