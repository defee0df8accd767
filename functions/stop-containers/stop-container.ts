/** Stops one container, and tells apart when it writes no more and when the engine says that it stopped. */
import type { ContainerOutcome } from "../../workflows/deploy/container-outcome.ts";
import type { NodePorts } from "../node-ports.ts";

export interface Stopping {
  /** No process of it is left, so that nothing of it writes any more. */
  readonly gone: Promise<unknown>;
  /** The engine says so too, and how it ended; by then it has taken down the container's network. */
  readonly confirmed: Promise<ContainerOutcome>;
}

/** Where the processes can't be seen, the engine's word is what `gone` waits for. */
export const stopContainer = (
  ports: Pick<NodePorts, "docker" | "processesGone" | "nowMs">,
  name: string,
  graceMs: number,
  signal: AbortSignal,
): Stopping => {
  const over = new AbortController();
  const seen = ports.processesGone(name, AbortSignal.any([signal, over.signal]));
  const stopping = ports.docker.stopContainer(name, graceMs, signal).finally(() => over.abort());
  const gone = Promise.race([
    stopping,
    seen.then(
      (isGone) => (isGone ? undefined : stopping),
      () => stopping,
    ),
  ]).then(() => ports.nowMs());
  const confirmed = Promise.all([gone, stopping]).then(
    ([stoppedAtMs, { stopped }]): ContainerOutcome => ({ stoppedAtMs, stopped }),
  );
  // Whoever waits for one of them hears of a failure; the other one's is the same.
  for (const either of [gone, confirmed]) either.catch(() => undefined);
  return { gone, confirmed };
};
