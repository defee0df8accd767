/**
 * A host name of an edge belongs to the project that named it first, until that project names it no
 * more: nobody takes another's clients by writing its name into a file of his own.
 */
import * as z from "zod";
import { hostKey } from "../../adapters/store-keys.ts";
import type { ContainerSpec } from "../../workflows/container-spec.ts";
import type { Input } from "../../workflows/deploy/messages.ts";
import { ProjectId } from "../../workflows/ids.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { encodeJson, readJsonObject } from "../json-object.ts";

const HostClaim = z.object({ project: ProjectId });

type ClaimPorts = Pick<ControlPorts, "store" | "records">;

/**
 * The resolved deploy with its new names claimed, or its refusal when one is another project's. A
 * claim that is left by its project may be taken over by two others at once; then edges let the
 * first by name have it, and say so.
 */
export const claimHosts = async (
  ports: ClaimPorts,
  state: ProjectState,
  resolved: Input | null,
  signal: AbortSignal,
): Promise<Input | null> => {
  if (resolved?.type !== "deploy.resolved") return resolved;
  const known = namedHosts(state);
  const wanted = hostsOf(Object.values(resolved.spec.containers));
  const taken: string[] = [];
  for (const host of wanted) {
    if (known.has(host)) continue;
    const owner = await claim(ports, state.project, host, signal);
    if (owner !== null) taken.push(`${host} belongs to project ${owner}: remove it there first`);
  }
  if (taken.length === 0) return resolved;
  const { requestId, commit, nowMs } = resolved;
  const reason = taken.map((line) => `${state.settings.file}: ${line}`).join("\n");
  return { type: "deploy.unresolvable", requestId, commit, reason, nowMs };
};

/** The other project that has the host; null: it is this one's now. */
const claim = async (
  { store, records }: ClaimPorts,
  project: ProjectId,
  host: string,
  signal: AbortSignal,
): Promise<ProjectId | null> => {
  const key = hostKey(host);
  const body = encodeJson({ project });
  if ((await store.put(key, body, { ifAbsent: true }, signal)) === "stored") return null;
  const claimed = await readJsonObject(store, key, HostClaim, signal);
  if (claimed === null || claimed.project === project) return null;
  const other = await records.load(claimed.project, signal);
  if (other !== null && namedHosts(other.state).has(host)) return claimed.project;
  await store.put(key, body, {}, signal);
  return null;
};

/** Of what runs, and of what a deploy under way brings. */
const namedHosts = ({ containers, deploy }: ProjectState): ReadonlySet<string> =>
  hostsOf([
    ...Object.values(containers).map(({ spec }) => spec),
    ...Object.values(deploy?.containers ?? {}).map(({ to }) => to?.spec),
  ]);

const hostsOf = (specs: readonly (ContainerSpec | undefined)[]): Set<string> =>
  new Set(specs.flatMap((spec) => spec?.domains?.map(({ host }) => host) ?? []));
