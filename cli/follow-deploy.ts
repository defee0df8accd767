/** Follows a deploy to its end: a live view on a terminal, one line a change elsewhere. */
import { setTimeout as sleep } from "node:timers/promises";
import { createLogUpdate } from "log-update";
import type { StepProgress } from "../functions/step-progress.ts";
import type { ProjectId } from "../workflows/ids.ts";
import type { EndedDeploy, ProjectState } from "../workflows/record.ts";
import { awaitedProgress } from "./awaited-progress.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { formatMs } from "./format.ts";
import { nameStep, renderWords } from "./render-progress.ts";
import { showEnded, showRunning } from "./show-deploy.ts";

const POLL_MS = 250;
/** A step writes no more often. */
const PROGRESS_EVERY_MS = 1_000;
const PROGRESS_LINE_EVERY_MS = 5_000;

export interface FollowOptions {
  readonly json: boolean;
}

/** Shows a project's deploy, as often as it is called. */
interface View {
  show(state: ProjectState | undefined, progress: readonly StepProgress[]): void;
  end(): void;
}

/** The exit code that the deploy's end deserves. */
export const followDeploy = async (
  { control, signal }: Context,
  project: ProjectId,
  deployId: string,
  { json }: FollowOptions,
): Promise<number> => {
  const view = openView(deployId, json, control.nowMs);
  let progress: StepProgress[] = [];
  let readAtMs = 0;
  for (;;) {
    const state = (await control.records.load(project, signal))?.state;
    const ended = state?.history.find(({ id }) => id === deployId);
    if (ended !== undefined) {
      view.end();
      process.stdout.write(
        json ? `${JSON.stringify(ended)}\n` : `${showEnded(ended).join("\n")}\n`,
      );
      return exitCodeOf(ended);
    }
    const isDue = !json && control.nowMs() - readAtMs >= PROGRESS_EVERY_MS;
    if (isDue && state?.deploy?.id === deployId) {
      readAtMs = control.nowMs();
      progress = await awaitedProgress(control.store, state, signal);
    }
    view.show(state, progress);
    await sleep(POLL_MS, null, { signal });
  }
};

export const exitCodeOf = ({ result }: EndedDeploy): number =>
  result === "deployed" || result === "unchanged" ? EXIT.ok : EXIT.failed;

const openView = (deployId: string, json: boolean, nowMs: () => number): View => {
  if (json) return { show: () => undefined, end: () => undefined };
  return process.stdout.isTTY ? liveView(deployId, nowMs) : lineView(deployId, nowMs);
};

const liveView = (deployId: string, nowMs: () => number): View => {
  const live = createLogUpdate(process.stdout);
  return {
    show: (state, progress) => {
      const deploy = state?.deploy ?? null;
      const lines =
        deploy?.id === deployId
          ? showRunning(deploy, progress, nowMs())
          : [`  deploy ${deployId} waits for its turn`];
      live(lines.join("\n"));
    },
    end: () => live.clear(),
  };
};

/** Phases as they begin, and every few seconds how far they are: for logs, which keep each line. */
const lineView = (deployId: string, nowMs: () => number): View => {
  let phasesSaid = 0;
  let saidAtMs = nowMs();
  const write = (sinceMs: number, text: string) =>
    process.stdout.write(`  +${formatMs(sinceMs)} ${text}\n`);
  return {
    show: (state, progress) => {
      const deploy = state?.deploy;
      if (deploy?.id !== deployId) return;
      const beganAtMs = deploy.timeline[0]?.atMs ?? nowMs();
      for (const { phase, atMs } of deploy.timeline.slice(phasesSaid)) {
        write(atMs - beganAtMs, phase);
      }
      phasesSaid = deploy.timeline.length;
      if (nowMs() - saidAtMs < PROGRESS_LINE_EVERY_MS) return;
      saidAtMs = nowMs();
      for (const told of progress) {
        write(saidAtMs - beganAtMs, renderWords(nameStep(told), told, saidAtMs));
      }
    },
    end: () => undefined,
  };
};
