/**
 * Starts a deploy's containers on its target, ports closed, and tells when they are healthy; or
 * starts the old ones again on a deploy's way back. Nothing here makes a container reachable.
 */
import { TerminalError } from "../../volume/errors.ts";
import type { ContainerOutcome } from "../../workflows/deploy/container-outcome.ts";
import { stepKind } from "../../workflows/deploy/steps.ts";
import type { VolumeName } from "../../workflows/ids.ts";
import { mapRecord } from "../../workflows/keys-of.ts";
import type { RunOrder } from "../../workflows/node/assignment.ts";
import type { HydrateSummary } from "../../workflows/record.ts";
import { bringBack, bringIn } from "../bring-in/bring-in.ts";
import type { StepMessage } from "../messages.ts";
import type { NodePorts } from "../node-ports.ts";
import { runStep, type StepFindings, type StepWork } from "../node-step.ts";
import { type StartedContainer, startContainer } from "./start-container.ts";

/** How long a container may take to its first success, beyond the start period that its file gives. */
const HEALTH_TIMEOUT_MS = 60_000;
/** On the way back health is only waited for to be told; the old version is the answer anyway. */
const RETURN_HEALTH_TIMEOUT_MS = 15_000;

export const createStartContainers =
  (ports: NodePorts) =>
  (message: StepMessage, signal: AbortSignal): Promise<void> =>
    runStep(ports, message, (work) => startAll(ports, work, signal), signal);

const startAll = async (
  ports: NodePorts,
  work: StepWork,
  signal: AbortSignal,
): Promise<StepFindings> => {
  const { project } = work.state;
  const orders = work.assignment.run.filter(
    ({ container, mayHydrate }) => mayHydrate && work.deploy.containers[container] !== undefined,
  );
  const isReturn = stepKind(work.step) === "return";
  const hydrated: Record<VolumeName, HydrateSummary> = {};
  const started = await ports.locks.run(`project ${project}`, async () => {
    await ports.fences.raise(project, work.assignment.fences);
    const orderedAtMs = ports.nowMs();
    if (isReturn) await bringBack(ports, work.state, orders, signal);
    else Object.assign(hydrated, await bringIn(ports, work.state, orders, signal));
    const done: (StartedContainer & { readonly order: RunOrder })[] = [];
    for (const order of orders) {
      const one = await startContainer(
        ports,
        work.state,
        { order, heldSince: work.session },
        signal,
      );
      done.push({ ...one, order, outcome: { ...one.outcome, orderedAtMs } });
      Object.assign(hydrated, one.hydrated);
    }
    return done;
  });
  const containers: StepFindings["containers"] = {};
  const outcomes = await Promise.all(
    started.map(async ({ order, name, outcome }) => ({
      order,
      outcome: { ...outcome, ...(await waitForHealth(ports, order, name, isReturn, signal)) },
    })),
  );
  for (const { order, outcome } of outcomes) containers[order.container] = outcome;
  const volumes = mapRecord(hydrated, (hydrate) => ({ hydrate }));
  const sessions = started.flatMap(({ lease }) => (lease === null ? [] : [lease]));
  const [lease] = sessions.sort((a, b) => a - b);
  return { volumes, containers, ...(lease !== undefined && { lease }) };
};

const waitForHealth = async (
  ports: NodePorts,
  { spec, container }: RunOrder,
  name: string,
  isReturn: boolean,
  signal: AbortSignal,
): Promise<ContainerOutcome> => {
  const startPeriodMs = spec.healthcheck?.startPeriodMs ?? 0;
  const timeoutMs = isReturn ? RETURN_HEALTH_TIMEOUT_MS : HEALTH_TIMEOUT_MS + startPeriodMs;
  const health = await ports.waitHealthy(name, spec, timeoutMs, signal);
  if (health.healthy) return { healthyAtMs: health.atMs };
  if (isReturn) return {};
  throw new TerminalError(`container ${container} is not healthy: ${health.reason}`, {
    code: "unhealthy",
    hint: `docker logs ${name}`,
  });
};
