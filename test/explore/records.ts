/**
 * Project records as the exploration keeps them: without what the rules never read (times, receipts,
 * sizes), so that records which can't behave differently are one, and each known by a number.
 */
import { NOW } from "../../workflows/deploy/given-deploys.ts";
import type { EndedDeploy, ProjectState, SnapshotRef } from "../../workflows/record.ts";
import { canonicalJson, createInterner, type Interner } from "./interner.ts";

export const createRecords = (): Interner<ProjectState> =>
  createInterner((state: ProjectState) => canonicalJson(state));

const plain = (snapshot: SnapshotRef): SnapshotRef => ({
  id: snapshot.id,
  epoch: snapshot.epoch,
  takenAtMs: NOW,
  digest: "",
  files: 0,
  bytes: 0,
  storedBytes: 0,
  kind: "final",
  stopped: "clean",
  deployId: null,
});

/** Of an ended deploy the rules read which request it was: a repeated one must change nothing. */
const ended = ({ requestId, id }: EndedDeploy): EndedDeploy => ({
  id,
  commit: null,
  ref: "",
  subject: "",
  requestId,
  result: "deployed",
  reason: null,
  startedAtMs: NOW,
  endedAtMs: NOW,
  gapMs: null,
  predictedPauseMs: null,
  timeline: [],
  containers: {},
  volumes: {},
  archived: true,
});

export const normalise = (state: ProjectState): ProjectState => ({
  ...state,
  containers: state.containers,
  volumes: Object.fromEntries(
    Object.entries(state.volumes).map(([name, volume]) => [
      name,
      {
        ...volume,
        head: volume.head === null ? null : plain(volume.head),
        snapshots: volume.snapshots.map(plain),
        branches: [],
      },
    ]),
  ),
  deploy: normaliseDeploy(state.deploy),
  // Only a later try reads it, which is as the first one that a lost node leads to.
  owedReplacement: null,
  history: state.history.map(ended).sort((a, b) => (a.requestId < b.requestId ? -1 : 1)),
  endedAttempts: [...state.endedAttempts].sort(),
});

const normaliseDeploy = (deploy: ProjectState["deploy"]): ProjectState["deploy"] =>
  deploy === null
    ? null
    : {
        ...deploy,
        timeline: [],
        outcomes: {},
        predictedPauseMs: null,
        volumes: Object.fromEntries(
          Object.entries(deploy.volumes).map(([name, move]) => [
            name,
            {
              ...move,
              hydrated: null,
              sealed: move.sealed === null ? null : plain(move.sealed),
              copies: move.copies.map((copy) => ({ ...copy, durationMs: 0, storedBytes: 0 })),
            },
          ]),
        ),
        phase: {
          ...deploy.phase,
          sinceMs: NOW,
          deadlineAtMs: NOW + 1,
          ...("reason" in deploy.phase && { reason: "it failed" }),
        },
      };

/** A record in a few words, for the story. */
export const describeRecord = (state: ProjectState): string => {
  const volumes = Object.entries(state.volumes).map(
    ([name, { owner, epoch }]) => `${name} e${epoch} on ${owner ?? "no node"}`,
  );
  const { deploy } = state;
  const what =
    deploy === null
      ? "running"
      : `${deploy.phase.name}${"epoch" in deploy.phase ? ` e${deploy.phase.epoch}` : ""}`;
  return `${what}; ${volumes.join(", ") || "no volumes"}`;
};
