/** How far the steps are that the running deploy waits for now. */
import { readProgress, type StepProgress } from "../functions/step-progress.ts";
import type { ObjectStore } from "../volume/object-store.ts";
import type { ProjectState } from "../workflows/record.ts";

/** Empty without a deploy, and for steps that have just begun; those that are done are left out. */
export const awaitedProgress = async (
  store: ObjectStore,
  { project, deploy }: ProjectState,
  signal: AbortSignal,
): Promise<StepProgress[]> => {
  if (deploy === null) return [];
  const told = await readProgress(store, project, deploy.id, signal);
  return told.filter(({ step, node }) =>
    deploy.phase.awaits.some((awaited) => awaited.step === step && awaited.node === node),
  );
};
