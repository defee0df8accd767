/**
 * Messages from any time: whatever was ever asked, reported, planned or cancelled comes once more, in
 * every record that there is. Where the record does not wait for it, it must change nothing.
 */

import type { Await } from "../../workflows/deploy/deploy-phase.ts";
import { NOW, resolved } from "../../workflows/deploy/given-deploys.ts";
import type { Input } from "../../workflows/deploy/messages.ts";
import type { DeployId } from "../../workflows/ids.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { asReport, type Push } from "./control-moves.ts";
import type { Rules } from "./rules.ts";
import { snapshotName } from "./world.ts";

export interface Surprise {
  readonly what: string;
  readonly record: number;
}

interface Owed extends Await {
  readonly deployId: DeployId;
}

export const findSurprise = (
  records: readonly ProjectState[],
  pushes: readonly Push[],
  rules: Rules,
): Surprise | null => {
  const owed = new Map<string, Owed>();
  for (const { deploy } of records) {
    for (const one of deploy?.phase.awaits ?? []) {
      if (deploy !== null) owed.set(keyOf(one, deploy.id), { ...one, deployId: deploy.id });
    }
  }
  for (const [record, state] of records.entries()) {
    for (const { what, input } of [
      ...ancientReports(state, owed),
      ...ancientWishes(state, pushes),
    ]) {
      if (rules.decide(state, input).kind === "changed") {
        return { what: `${what} from another time changes the record`, record };
      }
    }
  }
  return null;
};

const keyOf = ({ step, node }: Await, deployId: string): string => `${deployId} ${step} ${node}`;

interface Ancient {
  readonly what: string;
  readonly input: Input;
}

/** Also those of steps that this record has not come to: nobody may be ahead of it. */
const ancientReports = (state: ProjectState, owed: ReadonlyMap<string, Owed>): Ancient[] => {
  const { deploy } = state;
  const awaited = new Set(deploy?.phase.awaits.map((one) => keyOf(one, deploy.id)));
  return [...owed].flatMap(([key, { deployId, step, node }]) => {
    if (awaited.has(key)) return [];
    const names = Object.keys(state.volumes);
    const ids = names.map((name) => [name, snapshotName(deployId, step, name)]);
    return [true, false].map((isFailure): Ancient => {
      const snapshots = isFailure ? {} : Object.fromEntries(ids);
      const report = asReport(state, deployId, { step, node, isFailure, isWhole: true, snapshots });
      const verifiedSnapshots = Object.values(report.volumes).flatMap(({ snapshot }) =>
        snapshot === undefined ? [] : [snapshot.id],
      );
      const what = `the ${isFailure ? "failure" : "report"} of ${step} of ${node} for ${deployId}`;
      return { what, input: { type: "report.received", report, verifiedSnapshots, nowMs: NOW } };
    });
  });
};

/** Plans and refusals of requests that nobody wants now, and cancellations of what has ended. */
const ancientWishes = (state: ProjectState, pushes: readonly Push[]): Ancient[] =>
  pushes.flatMap(({ id, letter, spec }): Ancient[] => {
    if (state.desired?.requestId === id) return [];
    const deployId = `deploy-${id}` as DeployId;
    const refusal = { requestId: id, commit: null, reason: "gone", nowMs: NOW };
    const isRunning = state.deploy?.id === deployId;
    return [
      { what: `the plan of ${id}`, input: resolved(id, letter, spec) },
      { what: `the refusal of ${id}`, input: { type: "deploy.unresolvable", ...refusal } },
      ...(isRunning
        ? []
        : [
            {
              what: `the cancellation of ${id}`,
              input: { type: "deploy.cancelled" as const, deployId, nowMs: NOW },
            },
          ]),
    ];
  });
