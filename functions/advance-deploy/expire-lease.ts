/** A session of a node's lease is said to be over: what that leads to, if it is. */
import type { Revision } from "../../workflows/ids.ts";
import type { ControlPorts } from "../control-ports.ts";
import type { LeaseExpired } from "../messages.ts";
import type { AdvanceRequest, AdvanceResult } from "./advance-project.ts";

type Advance = (request: AdvanceRequest, signal: AbortSignal) => Promise<AdvanceResult>;

/** The record takes it step by step, and by a new look at the lease each. */
export const expireLease = async (
  ports: Pick<ControlPorts, "log">,
  advance: Advance,
  expired: LeaseExpired,
  signal: AbortSignal,
): Promise<void> => {
  const { project, node } = expired;
  for (let seen: Revision | null = null; ; ) {
    const { state, rev, refusal } = await advance({ project, expired, resend: false }, signal);
    if (refusal !== null) ports.log.error({ project, node, ...refusal }, "failover.refused");
    const isAwaited = state.deploy?.phase.awaits.some((owed) => owed.node === node) === true;
    if (!isAwaited || rev === seen) return;
    seen = rev;
  }
};
