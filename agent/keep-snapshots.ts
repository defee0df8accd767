/**
 * Keeps the time of a node's snapshots outside deploys. It knows the schedules of the node's volumes
 * from the records that the agent reads anyway, so an idle project costs neither the control functions
 * nor the store anything.
 */
import {
  type LiveSnapshotResult,
  takeLiveSnapshot,
} from "../functions/snapshot-volume/live-snapshot.ts";
import type { ProjectId, VolumeName } from "../workflows/ids.ts";
import type { ProjectState } from "../workflows/record.ts";
import { type DueSnapshot, dueSnapshots } from "../workflows/snapshots/due-snapshots.ts";
import type { AgentPorts } from "./reconcile-project.ts";

/** Schedules are of a second or more. */
const TICK_MS = 1_000;
/** The record does not go past the last report yet: control has it, or will have. */
const UNANSWERED_MS = 2_000;
/** After a try that came to nothing by no fault of the volume: a store that does not answer. */
const RETRY_MS = 15_000;

export interface SnapshotKeeper {
  /** The project as it was just read. */
  note(state: ProjectState): void;
  run(sleep: (ms: number, signal: AbortSignal) => Promise<void>): Promise<void>;
}

interface Kept {
  readonly project: ProjectId;
  readonly volume: VolumeName;
  due: DueSnapshot;
  isRunning: boolean;
  /** When the next look is worth while; by the schedule, or because of requests. */
  nextAtMs: number;
  reported: DueSnapshot | null;
  /** The last try, whether or not anything had changed. */
  beganAtMs: number;
}

export const createSnapshotKeeper = (ports: AgentPorts, signal: AbortSignal): SnapshotKeeper => {
  const kept = new Map<string, Kept>();
  const take = async (one: Kept): Promise<void> => {
    const beganAtMs = ports.nowMs();
    one.isRunning = true;
    try {
      const { kind, due } = await takeLiveSnapshot(ports, one, signal);
      if (kind === "reported") one.reported = due;
      if (kind !== "idle") one.beganAtMs = beganAtMs;
      if (due === null) kept.delete(keyOf(one));
      else one.due = due;
      one.nextAtMs = nextLook(one, kind, beganAtMs);
    } catch (error) {
      one.nextAtMs = ports.nowMs() + RETRY_MS;
      const { project, volume } = one;
      if (!signal.aborted) ports.log.warn({ project, volume, err: error }, "snapshot.postponed");
    } finally {
      one.isRunning = false;
    }
  };
  const tick = (): void => {
    const now = ports.nowMs();
    for (const one of kept.values()) if (!one.isRunning && now >= one.nextAtMs) void take(one);
  };
  return {
    note: (state) => {
      const { project } = state;
      const due = new Map(dueSnapshots(state, ports.node).map((one) => [one.volume, one]));
      for (const [key, one] of kept) {
        if (one.project === project && !due.has(one.volume)) kept.delete(key);
      }
      for (const [volume, one] of due) {
        const known = kept.get(keyOf({ project, volume }));
        const fresh = { project, volume, isRunning: false, nextAtMs: Number.POSITIVE_INFINITY };
        const next = known ?? { ...fresh, due: one, reported: null, beganAtMs: 0 };
        next.due = one;
        const isOwed = one.requestIds.length > 0;
        next.nextAtMs = Math.min(next.nextAtMs, isOwed ? ports.nowMs() : nextBySchedule(next));
        kept.set(keyOf(next), next);
      }
      tick();
    },
    run: async (sleep) => {
      while (!signal.aborted) {
        await sleep(TICK_MS, signal);
        tick();
      }
    },
  };
};

const keyOf = ({ project, volume }: Pick<Kept, "project" | "volume">): string =>
  `${project}/${volume}`;

/** Of something that changed nothing the record knows nothing. */
const nextBySchedule = ({ due: { everyMs, dueAtMs }, beganAtMs }: Kept): number =>
  everyMs === null || dueAtMs === null
    ? Number.POSITIVE_INFINITY
    : Math.max(dueAtMs, beganAtMs + everyMs);

/** A period after this one began; sooner where a request is not answered yet. */
const nextLook = (
  { due: { epoch, sequence, everyMs, dueAtMs, requestIds }, reported }: Kept,
  kind: LiveSnapshotResult["kind"],
  beganAtMs: number,
): number => {
  const isOpen = epoch === reported?.epoch && sequence === reported.sequence;
  if (kind === "idle" && (isOpen || requestIds.length > 0)) return beganAtMs + UNANSWERED_MS;
  if (everyMs === null) return Number.POSITIVE_INFINITY;
  return kind === "idle" ? Math.max(beganAtMs + RETRY_MS, dueAtMs ?? 0) : beganAtMs + everyMs;
};
