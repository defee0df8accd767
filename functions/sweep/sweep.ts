/**
 * The backstop for lost messages: on a timer, hints again at every request that no record holds yet
 * and at every project with outstanding duties, and tells of nodes whose lease is over. A project at
 * rest is not even looked at.
 */
import { OPEN_PREFIX, PENDING_PREFIX } from "../../adapters/store-keys.ts";
import { ProjectId } from "../../workflows/ids.ts";
import type { ControlPorts } from "../control-ports.ts";
import { CONTROL_QUEUE, type ProjectHint } from "../messages.ts";
import type { LeaseWatch } from "./find-expired-leases.ts";
import { createTurnsOfMany, type TurnsOfMany } from "./turns-of-many.ts";

/** What one process remembers from sweep to sweep. */
export interface SweepMemory {
  readonly leases?: LeaseWatch;
  readonly turns?: TurnsOfMany;
}

export const sweep = async (
  ports: Pick<ControlPorts, "store" | "send" | "log">,
  signal: AbortSignal,
  { leases, turns = createTurnsOfMany() }: SweepMemory = {},
): Promise<{ readonly hints: number }> => {
  let hints = 0;
  const send = async (name: string, requestId?: string): Promise<void> => {
    const project = ProjectId.safeParse(name);
    if (!project.success) return;
    const hint: ProjectHint = {
      type: "project.hint",
      version: 1,
      project: project.data,
      ...(requestId !== undefined && { requestId }),
      resend: true,
    };
    await ports.send(CONTROL_QUEUE, hint, signal);
    hints += 1;
  };
  for await (const { key } of ports.store.list(PENDING_PREFIX, signal)) {
    const match = /^([^/]+)\/(.+)\.json$/.exec(key.slice(PENDING_PREFIX.length));
    await send(match?.[1] ?? "", decodeURIComponent(match?.[2] ?? ""));
  }
  const open = new Set<string>();
  for await (const { key } of ports.store.list(OPEN_PREFIX, signal)) {
    open.add(key.slice(OPEN_PREFIX.length).split("/")[0] ?? "");
  }
  for (const name of turns.take([...open])) await send(name);
  // Of all of them: what is lost with a node is not put off.
  for (const expired of (await leases?.look(ports, [...open], signal)) ?? []) {
    await ports.send(CONTROL_QUEUE, expired, signal);
    hints += 1;
  }
  if (hints > 0) ports.log.info({ hints }, "sweep.hinted");
  return { hints };
};
