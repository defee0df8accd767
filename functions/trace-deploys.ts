/** What a new revision tells of a deploy's course: the span of each phase that ended, and of the whole. */
import { phaseContext, rootContext } from "../adapters/tracing/trace-context.ts";
import type { PastSpan } from "../adapters/tracing/traces.ts";
import type {
  Deploy,
  DeployResult,
  EndedDeploy,
  ProjectState,
  TimelineEntry,
} from "../workflows/record.ts";

/** Told by whoever wrote the revision, so that each is told once. */
export const pastSpans = (before: ProjectState | null, after: ProjectState): PastSpan[] => {
  const known = before?.deploy ?? null;
  const spans: PastSpan[] = [];
  if (after.deploy !== null) spans.push(...phaseSpans(after, after.deploy, knownOf(known, after)));
  const ids = new Set(before?.history.map(({ id }) => id));
  for (const ended of after.history) {
    if (before === null || ids.has(ended.id)) continue;
    const began = known?.id === ended.id ? known : null;
    spans.push(...phaseSpans(after, ended, began?.timeline ?? []));
    spans.push(deploySpan(after, ended, began));
  }
  return spans;
};

const knownOf = (known: Deploy | null, { deploy }: ProjectState): readonly TimelineEntry[] =>
  known !== null && known.id === deploy?.id ? known.timeline : [];

/** The phases that were entered before `known` ended, or since, and are over now. */
const phaseSpans = (
  { project }: ProjectState,
  { id, timeline }: Pick<EndedDeploy, "id" | "timeline">,
  known: readonly TimelineEntry[],
): PastSpan[] => {
  const deploy = { project, deployId: id };
  const firstNew = Math.max(0, known.length - 1);
  return timeline.slice(firstNew, -1).map(({ phase, atMs }, index) => ({
    name: phase,
    context: phaseContext(deploy, phase),
    parent: rootContext(deploy),
    beganAtMs: atMs,
    endedAtMs: timeline[firstNew + index + 1]?.atMs ?? atMs,
    attributes: { "bagage.project": project, "bagage.deploy": id, "bagage.phase": phase },
    failure: null,
  }));
};

const deploySpan = (
  { project }: ProjectState,
  ended: EndedDeploy,
  began: Deploy | null,
): PastSpan => ({
  name: "deploy",
  context: rootContext({ project, deployId: ended.id }),
  parent: null,
  beganAtMs: began?.request.requestedAtMs ?? ended.startedAtMs,
  endedAtMs: ended.endedAtMs,
  attributes: {
    "bagage.project": project,
    "bagage.deploy": ended.id,
    "bagage.result": ended.result,
    ...(ended.commit !== null && { "bagage.commit": ended.commit }),
    ...(ended.gapMs !== null && { "bagage.gap_ms": ended.gapMs }),
    ...(began !== null && { "bagage.trigger": began.request.trigger }),
  },
  failure: FINE.has(ended.result) ? null : (ended.reason ?? ended.result),
});

const FINE: ReadonlySet<DeployResult> = new Set([
  "deployed",
  "unchanged",
  "superseded",
  "cancelled",
]);
