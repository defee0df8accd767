/** Of several projects that want the same name or port of an edge, one gets it, on every edge alike. */
import type { ProjectId } from "../ids.ts";
import type { EdgeRoute } from "./routes.ts";

/** `name`: `example.org`, or `:5432`. */
export interface RouteClash {
  readonly name: string;
  readonly servedFor: ProjectId;
  readonly refusedTo: ProjectId;
}

export interface SettledRoutes {
  readonly routes: readonly EdgeRoute[];
  readonly clashes: readonly RouteClash[];
}

/**
 * The first project by name wins; within a project the file allows no clash. A host belongs to one
 * project with all its paths: its cookies and certificates do too.
 */
export const settleRoutes = (wanted: readonly EdgeRoute[]): SettledRoutes => {
  const owners = new Map<string, ProjectId>();
  const clashes: RouteClash[] = [];
  const take = (name: string, project: ProjectId): boolean => {
    const owner = owners.get(name);
    if (owner === undefined) owners.set(name, project);
    if (owner === undefined || owner === project) return true;
    const isSaid = clashes.some((clash) => clash.name === name && clash.refusedTo === project);
    if (!isSaid) clashes.push({ name, servedFor: owner, refusedTo: project });
    return false;
  };
  const sorted = [...wanted].sort((a, b) => (a.project < b.project ? -1 : 1));
  const routes = sorted.flatMap((route): EdgeRoute[] => {
    const { way, project } = route;
    if (way.kind === "tcp") return take(`:${way.hostPort}`, project) ? [route] : [];
    const domains = way.domains.filter(({ host }) => take(host, project));
    return domains.length === 0 ? [] : [{ ...route, way: { kind: "http", domains } }];
  });
  return { routes, clashes };
};
