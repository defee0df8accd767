/**
 * Marks in the store of the projects that the sweep must look at: those with outstanding duties, and
 * those whose subscribers have not been told all. A project at rest has none and costs nothing.
 */
import { openKey, openPrefix } from "../../adapters/store-keys.ts";
import { isOpen } from "../../workflows/deploy/duties.ts";
import type { ProjectId, Revision } from "../../workflows/ids.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { CONTROL_QUEUE } from "../messages.ts";
import { hasSubscribers, isAllTold } from "../publish-events/publish-events.ts";

/** Call before the revision is saved: from then on the sweep looks after the project. */
export const putMark = async (
  { store }: Pick<ControlPorts, "store">,
  before: ProjectState,
  { state, rev }: { readonly state: ProjectState; readonly rev: Revision },
  signal: AbortSignal,
): Promise<void> => {
  if (isOpen(before) || !(isOpen(state) || hasSubscribers(state))) return;
  await store.put(openKey(state.project, rev), new Uint8Array(), {}, signal);
};

/**
 * Call for a revision to which nothing can be added now. Only its mark and earlier ones go: a later
 * one is somebody else's, who saves as this runs.
 */
export const dropMarks = async (
  ports: ControlPorts,
  { state, rev }: { readonly state: ProjectState; readonly rev: Revision },
  signal: AbortSignal,
): Promise<void> => {
  if (isOpen(state)) return;
  if (hasSubscribers(state) && !(await isAllTold(ports, state, rev, signal))) {
    await hintEvents(ports, state.project, signal);
    return;
  }
  const marks: string[] = [];
  for await (const { key } of ports.store.list(openPrefix(state.project), signal)) {
    if (key <= openKey(state.project, rev)) marks.push(key);
  }
  if (marks.length > 0) await ports.store.delete(marks, signal);
};

export const hintEvents = (
  ports: Pick<ControlPorts, "send">,
  project: ProjectId,
  signal: AbortSignal,
): Promise<void> => ports.send(CONTROL_QUEUE, { type: "events.hint", version: 1, project }, signal);
