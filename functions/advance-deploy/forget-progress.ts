/** Takes away what the steps of a deploy told of their progress, when the deploy has ended. */
import type { ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { clearProgress } from "../step-progress.ts";

/** Shorter deploys have left no progress objects; a listing costs more than those are worth. */
const TELLING_AFTER_MS = 2_000;

/** Call after the save that ended it. Never fails: what cannot be deleted now is deleted when the next deploy ends. */
export const forgetProgress = async (
  ports: ControlPorts,
  before: ProjectState,
  now: ProjectState,
  signal: AbortSignal,
): Promise<void> => {
  const ended = before.deploy;
  if (ended === null || now.deploy?.id === ended.id) return;
  const startedAtMs = ended.timeline[0]?.atMs ?? 0;
  if (ports.nowMs() - startedAtMs < TELLING_AFTER_MS) return;
  const { project } = now;
  await clearProgress(ports.store, project, signal).catch((error: unknown) =>
    ports.log.warn({ project, deploy: ended.id, err: error }, "progress.kept"),
  );
};
