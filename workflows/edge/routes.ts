/** What edges lead to: the ways into a project's containers that its committed files ask for. */
import type { ContainerSpec, Domain } from "../container-spec.ts";
import type { ContainerName, NodeId, ProjectId } from "../ids.ts";
import { keysOf } from "../keys-of.ts";
import type { ProjectState } from "../record.ts";

/** One port of one container, reached under names (HTTP) or at a port of the edge's own (TCP). */
export interface EdgeRoute {
  readonly project: ProjectId;
  readonly container: ContainerName;
  readonly containerPort: number;
  readonly holdMs: number;
  readonly way:
    | { readonly kind: "http"; readonly domains: readonly Pick<Domain, "host" | "path">[] }
    | { readonly kind: "tcp"; readonly hostPort: number };
}

/** As long as most browsers and proxies wait at least. */
export const HOLD_DEFAULT_MS = 30_000;

/** Only of what is committed: before its first commit a container has no clients. */
export const findRoutes = (state: ProjectState): EdgeRoute[] =>
  keysOf(state.containers).flatMap((container) => {
    const spec = state.containers[container]?.spec;
    if (spec === undefined) return [];
    const { project } = state;
    const holdMs = spec.holdMs ?? HOLD_DEFAULT_MS;
    const http = Map.groupBy(spec.domains ?? [], ({ containerPort }) => containerPort);
    return [
      ...[...http].map(
        ([containerPort, domains]): EdgeRoute => ({
          ...{ project, container, containerPort, holdMs },
          way: { kind: "http", domains: domains.map(({ host, path }) => ({ host, path })) },
        }),
      ),
      ...spec.ports.map(
        ({ hostPort, containerPort }): EdgeRoute => ({
          ...{ project, container, containerPort, holdMs },
          way: { kind: "tcp", hostPort },
        }),
      ),
    ];
  });

/** The container's own ports that clients may be led to, each once. */
export const reachedPorts = (spec: ContainerSpec): number[] => [
  ...new Set([...spec.ports, ...(spec.domains ?? [])].map(({ containerPort }) => containerPort)),
];

/**
 * Where the container may be, likeliest first. Nothing hangs on the guess: a node lets clients in
 * only when it serves, so an edge may knock at each.
 */
export const findPlaces = (state: ProjectState, container: ContainerName): NodeId[] => {
  const move = state.deploy?.containers[container];
  const isArriving = state.deploy?.phase.name === "starting";
  const places = [state.containers[container]?.node, move?.from?.node, move?.to?.node];
  const ordered = isArriving ? places.reverse() : places;
  return [...new Set(ordered.filter((node) => node !== undefined))];
};
