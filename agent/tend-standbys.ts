/**
 * Keeps the newest snapshots of the volumes that this node is a standby of. One volume at a time is
 * brought in the background, so that nothing else on the node waits for it.
 */
import { warmVolume } from "../functions/warm-volume/warm-volume.ts";
import { TerminalError } from "../volume/errors.ts";
import type { ProjectId, SnapshotId } from "../workflows/ids.ts";
import { type OwedStandby, owedStandbys } from "../workflows/node/owed-standbys.ts";
import type { ProjectState } from "../workflows/record.ts";
import type { AgentPorts } from "./reconcile-project.ts";

export interface StandbyTender {
  /** Whether nothing is left to do for what the record says; begins it otherwise. */
  tend(state: ProjectState, signal: AbortSignal): boolean;
}

export const createStandbyTender = (ports: AgentPorts): StandbyTender => {
  const running = new Set<string>();
  /** What each volume was tried for last, whatever came of it: a full disk is not asked twice. */
  const settled = new Map<string, SnapshotId>();
  const bring = async (
    project: ProjectId,
    { volume, snapshotId }: OwedStandby,
    signal: AbortSignal,
  ): Promise<void> => {
    const key = `${project}/${volume}`;
    running.add(key);
    try {
      await warmVolume(ports, { project, volume }, signal);
      settled.set(key, snapshotId);
    } catch (error) {
      if (signal.aborted) return;
      const isFinal = error instanceof TerminalError && !PASSING.has(error.code);
      if (isFinal) settled.set(key, snapshotId);
      ports.log.warn({ project, volume, snapshotId, err: error }, "standby.behind");
    } finally {
      running.delete(key);
    }
  };
  return {
    tend: (state, signal) => {
      const { project } = state;
      const owed = owedStandbys(state, ports.node).filter(
        ({ volume, snapshotId }) => settled.get(`${project}/${volume}`) !== snapshotId,
      );
      for (const one of owed) {
        if (!running.has(`${project}/${one.volume}`)) void bring(project, one, signal);
      }
      return owed.length === 0;
    },
  };
};

/** Of the record as it was when the turn came: the next look knows better. */
const PASSING = new Set(["deploy-runs", "is-owner", "snapshot-missing"]);
