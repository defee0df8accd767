/** Follows a deploy to its end: a live view on a terminal, one line a change elsewhere. */
import { setTimeout as sleep } from "node:timers/promises";
import { createLogUpdate } from "log-update";
import type { ProjectId } from "../workflows/ids.ts";
import type { EndedDeploy, ProjectState } from "../workflows/record.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { formatMs } from "./format.ts";
import { showEnded, showRunning } from "./show-deploy.ts";

const POLL_MS = 250;

export interface FollowOptions {
  readonly json: boolean;
}

/** The exit code that the deploy's end deserves. */
export const followDeploy = async (
  { control, signal }: Context,
  project: ProjectId,
  deployId: string,
  { json }: FollowOptions,
): Promise<number> => {
  const isLive = process.stdout.isTTY && !json;
  const live = createLogUpdate(process.stdout);
  let said = 0;
  for (;;) {
    const loaded = await control.records.load(project, signal);
    const state = loaded?.state;
    const ended = state?.history.find(({ id }) => id === deployId);
    if (ended !== undefined) {
      if (isLive) live.clear();
      process.stdout.write(
        json ? `${JSON.stringify(ended)}\n` : `${showEnded(ended).join("\n")}\n`,
      );
      return exitCodeOf(ended);
    }
    if (isLive) live(describe(state, deployId, control.nowMs()).join("\n"));
    else if (!json) said = printNews(state, deployId, said);
    await sleep(POLL_MS, null, { signal });
  }
};

export const exitCodeOf = ({ result }: EndedDeploy): number =>
  result === "deployed" || result === "unchanged" ? EXIT.ok : EXIT.failed;

const describe = (state: ProjectState | undefined, deployId: string, nowMs: number): string[] =>
  state?.deploy?.id === deployId
    ? showRunning(state.deploy, nowMs)
    : [`  deploy ${deployId} waits for its turn`];

/** Prints the phases that were not printed yet; returns how many have been. */
const printNews = (state: ProjectState | undefined, deployId: string, said: number): number => {
  const deploy = state?.deploy;
  if (deploy?.id !== deployId) return said;
  for (const { phase, atMs } of deploy.timeline.slice(said)) {
    const since = atMs - (deploy.timeline[0]?.atMs ?? atMs);
    process.stdout.write(`  +${formatMs(since)} ${phase}\n`);
  }
  return deploy.timeline.length;
};
