/**
 * The Deliverous file: from its bytes to what a project's containers and volumes are asked to be, or
 * to everything that is wrong with it, each problem with its line, its column and what would be right.
 * docs/deliverous.md is the reference.
 */
import type { ContainerSpec, ProjectSpec } from "./container-spec.ts";
import { checkProject, type NamedContainer } from "./deliverous/check-project.ts";
import { expandDollars } from "./deliverous/expand-dollars.ts";
import { explainIssues, type Finding } from "./deliverous/explain-issues.ts";
import { ContainerEntry, isReservedName } from "./deliverous/file-schema.ts";
import { locate, renderPath, type SourceMap } from "./deliverous/locate.ts";
import { mergeVolumeSettings } from "./deliverous/merge-volume-settings.ts";
import { type LocatedProblem, readYaml } from "./deliverous/read-yaml.ts";
import { COMPOSE_TOP_LEVEL } from "./deliverous/vocabulary.ts";
import { ContainerName } from "./ids.ts";
import { mapRecord } from "./keys-of.ts";

export type DeliverousProblem = LocatedProblem;

export type ParsedDeliverous =
  | { readonly ok: true; readonly spec: ProjectSpec }
  | { readonly ok: false; readonly problems: readonly DeliverousProblem[] };

const CONTAINERS_MAX = 64;
/** More than these say nothing that the first ones don't; a hostile file could have thousands. */
const PROBLEMS_MAX = 100;
/** Compose's default is 10 s: short for a database that must write what it holds in memory. */
export const STOP_GRACE_PERIOD_DEFAULT_MS = 30_000;

const SMALLEST = "write for example `web: { image: registry.example/app:1 }`";

/** Never throws. `fileName` is the file's path in the repository, for messages about all of it. */
export const parseDeliverous = (text: string | Uint8Array, fileName: string): ParsedDeliverous => {
  const read = readYaml(text);
  if (!read.ok) return read;
  const containers = toContainers(read.value);
  if (containers === null) {
    const message = `${fileName} names no container`;
    const path = renderPath([]);
    return { ok: false, problems: [{ line: 1, column: 1, path, message, remedy: SMALLEST }] };
  }
  const { good, findings } = parseContainers(containers);
  const merged = mergeVolumeSettings(good, (path) => {
    const { line, column } = locate(read.source, path, "value");
    return `line ${line}, column ${column}`;
  });
  const all = [...findings, ...checkProject(good), ...merged.findings];
  if (all.length > 0) return { ok: false, problems: toProblems(all, read.source) };
  const specs = good.map(({ name, entry }) => [name, toContainerSpec(entry)] as const);
  return {
    ok: true,
    spec: {
      containers: Object.fromEntries(specs) as ProjectSpec["containers"],
      volumes: merged.volumes,
    },
  };
};

const toContainers = (value: unknown): [string, unknown][] | null => {
  const isMap = value !== null && typeof value === "object" && !Array.isArray(value);
  const entries = isMap ? Object.entries(value) : [];
  return entries.length === 0 ? null : entries;
};

const parseContainers = (
  containers: readonly [string, unknown][],
): { good: NamedContainer[]; findings: Finding[] } => {
  const findings: Finding[] = [];
  const good: NamedContainer[] = [];
  for (const [index, [name, given]] of containers.entries()) {
    const nameFinding = findNameProblem(name, given, index);
    if (nameFinding !== null) {
      findings.push(nameFinding);
      if (index >= CONTAINERS_MAX) break;
      continue;
    }
    const { value, flaws } = expandDollars(given);
    for (const { message, remedy, at = [] } of flaws) {
      findings.push({ path: [name, ...at], part: "value", message, remedy });
    }
    const parsed = ContainerEntry.safeParse(value);
    if (parsed.success) good.push({ name: ContainerName.parse(name), entry: parsed.data });
    else findings.push(...explainIssues(name, value, parsed.error.issues));
  }
  return { good, findings };
};

const findNameProblem = (name: string, given: unknown, index: number): Finding | null => {
  const at = { path: [name], part: "key" as const };
  const compose = Object.hasOwn(COMPOSE_TOP_LEVEL, name) ? COMPOSE_TOP_LEVEL[name] : undefined;
  const hasImage = given !== null && typeof given === "object" && "image" in given;
  if (compose !== undefined && !hasImage) {
    const message = `"${name}" is Compose's: here the containers stand at the top level`;
    return { ...at, message, remedy: compose };
  }
  if (index >= CONTAINERS_MAX) {
    const message = `a project has at most ${CONTAINERS_MAX} containers`;
    return { ...at, message, remedy: "make it several projects" };
  }
  if (ContainerName.safeParse(name).success && !isReservedName(name)) return null;
  return {
    ...at,
    message: `"${name}" can't be a container's name`,
    remedy: "use 1 to 63 of a-z 0-9 - _ . with a letter or digit at both ends",
  };
};

/** In the order of the file; of several problems with one value, the first. */
const toProblems = (findings: readonly Finding[], source: SourceMap): DeliverousProblem[] => {
  const places = new Set<string>();
  return findings
    .filter(({ path }) => {
      const place = JSON.stringify(path);
      if (places.has(place)) return false;
      places.add(place);
      return true;
    })
    .slice(0, PROBLEMS_MAX)
    .map(({ path, part, message, remedy }) => ({
      ...locate(source, path, part),
      path: renderPath(path),
      message,
      remedy,
    }))
    .sort((a, b) => a.line - b.line || a.column - b.column);
};

/** Where an HTTP server listens by custom, should the file say nothing. */
const DOMAIN_PORT_DEFAULT = 80;

const toContainerSpec = (entry: ContainerEntry): ContainerSpec => {
  const { image, command, entrypoint, user, healthcheck, mem_limit, cpus } = entry;
  const domains = entry.domains?.map(({ host, path, port }) => ({
    host,
    path,
    containerPort: port ?? entry.ports?.[0]?.containerPort ?? DOMAIN_PORT_DEFAULT,
  }));
  const edge = { domains, holdMs: entry.hold };
  const limits = { memLimitBytes: mem_limit, cpus };
  const optional = { command, entrypoint, user, healthcheck, ...limits, ...edge };
  return {
    image,
    ...(mapRecord(optional, (value) => value) as Partial<ContainerSpec>),
    environment: entry.environment ?? {},
    ports: entry.ports ?? [],
    stopGracePeriodMs: entry.stop_grace_period ?? STOP_GRACE_PERIOD_DEFAULT_MS,
    labels: entry.labels ?? {},
    constraints: entry.deploy?.placement?.constraints ?? [],
    ...(entry.s3 === true && { s3: true as const }),
    volumes: (entry.volumes ?? []).map(({ name, path, read_only = false }) => ({
      name,
      path,
      readOnly: read_only,
    })),
  };
};
