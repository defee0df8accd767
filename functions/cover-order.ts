/** What the lease asks of whoever runs a container whose volumes another node may take over. */
import { RetryableError } from "../volume/errors.ts";
import type { LeaseSession, ProjectId } from "../workflows/ids.ts";
import type { RunOrder } from "../workflows/node/assignment.ts";
import { isLeaseGood } from "../workflows/node/reconcile.ts";
import type { NodePorts } from "./node-ports.ts";

export interface CoveredOrder {
  readonly order: RunOrder;
  /** The session that held before the record was read from which the order is. */
  readonly heldSince: LeaseSession | null;
}

/**
 * The session under which the order may start now; null when it needs none. Throws RetryableError
 * while the lease is not held, or the record knows another session of it.
 */
export const coverOrder = async (
  ports: Pick<NodePorts, "lease">,
  project: ProjectId,
  { order, heldSince }: CoveredOrder,
  signal: AbortSignal,
): Promise<LeaseSession | null> => {
  if (order.leases.length === 0) return null;
  const volumes = order.leases.map(({ volume }) => volume);
  const session = await ports.lease.cover(project, volumes, signal);
  // Before the commit the record names no session. One that began since it was read may follow one
  // that others have seen the end of, and so taken for the end of what is to be started here.
  const isOld = order.mayHydrate && session !== heldSince;
  if (!isOld && isLeaseGood(order, session)) return session;
  throw new RetryableError(`session ${session} of the lease is not in the record yet`, {
    code: "lease-unknown",
  });
};

/** From its return on the guard ends the container when the session does. */
export const watchContainer = async (
  ports: Pick<NodePorts, "lease" | "docker">,
  project: ProjectId,
  { order, name }: { readonly order: RunOrder; readonly name: string },
  signal: AbortSignal,
): Promise<void> => {
  if (order.leases.length === 0) return;
  const pid = (await ports.docker.inspect(name, signal))?.pid ?? null;
  if (pid === null) return;
  await ports.lease.watch({ project, name, pid, graceMs: order.spec.stopGracePeriodMs }, signal);
};
