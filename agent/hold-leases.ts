/** Sees to it that the lease covers what the record lets this node run, and that the record knows. */
import { RetryableError } from "../volume/errors.ts";
import type { NodeAssignment } from "../workflows/node/assignment.ts";
import type { ProjectState } from "../workflows/record.ts";
import type { AgentPorts } from "./reconcile-project.ts";

/** Where the lease is not held, nothing is thrown: what then must not run is for the rules to say. */
export const holdLeases = async (
  ports: AgentPorts,
  state: ProjectState,
  assignment: NodeAssignment,
  signal: AbortSignal,
): Promise<void> => {
  const { project } = state;
  const leases = assignment.run.flatMap((order) => order.leases);
  if (leases.length === 0) {
    // In a deploy the old container may still be there; it is stopped by its step.
    if (state.deploy === null) await ports.lease.uncover(project);
    return;
  }
  try {
    const volumes = [...new Set(leases.map(({ volume }) => volume))];
    const session = await ports.lease.cover(project, volumes, signal);
    // Before the commit the record names a session only where it awaits none but that one.
    const isUnknown = assignment.run.some(({ gate, leases }) =>
      leases.some(
        (known) => known.session !== session && (gate === "open" || known.session !== null),
      ),
    );
    if (!isUnknown) return;
    const message = { type: "lease.held", version: 1, project, node: ports.node };
    await ports.sendToControl(message, signal);
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error;
    ports.log.warn({ project, code: error.code }, error.message);
  }
};
