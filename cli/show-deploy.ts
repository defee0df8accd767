/** A deploy for people: its moves, its timeline and its gap. */

import type { StepProgress } from "../functions/step-progress.ts";
import { pauseBudget } from "../workflows/deploy/copy-rounds.ts";
import type { PhaseName } from "../workflows/deploy/deploy-phase.ts";
import { explainGap } from "../workflows/deploy/explain-gap.ts";
import type { OwedReplacement } from "../workflows/deploy/owed-replacement.ts";
import { keysOf } from "../workflows/keys-of.ts";
import type {
  CopyRound,
  Deploy,
  EndedDeploy,
  ProjectState,
  TimelineEntry,
} from "../workflows/record.ts";
import { formatBytes, formatMs, formatTime } from "./format.ts";
import { nameStep, renderBar } from "./render-progress.ts";

const route = (from: string | null | undefined, to: string | null | undefined): string =>
  from === to ? `stays on ${to}` : `${from ?? "(new)"} → ${to ?? "(detached)"}`;

const showTimeline = (timeline: readonly TimelineEntry[], nowMs: number): string[] =>
  timeline.map(({ phase, atMs }, i) => {
    const next = timeline[i + 1];
    const isLast = next === undefined;
    const lasted = formatMs((next?.atMs ?? nowMs) - atMs);
    return `    ${formatTime(atMs)}  ${phase.padEnd(12)} ${isLast && nowMs === atMs ? "" : lasted}`.trimEnd();
  });

/** What becomes of the deploy when it goes no further: nobody should have to guess before Ctrl-C. */
const IF_IT_STOPS: Readonly<Record<PhaseName, string>> = {
  copying: "the old version runs on; what is copied is used again",
  draining: "the old version starts again on its own data",
  sealed: "the old version starts again on its own data",
  starting: "the new version is stopped, the old one starts again on the sealed data",
  unstarting: "it goes on until the new version is stopped",
  returning: "it goes on until the old version runs again",
};

export const showRunning = (
  deploy: Deploy,
  progress: readonly StepProgress[],
  nowMs: number,
): string[] => [
  `  deploy ${deploy.id} of ${deploy.commit.slice(0, 10)}  ${deploy.subject}`,
  ...keysOf(deploy.containers).map((name) => {
    const move = deploy.containers[name];
    return `    container ${name}: ${route(move?.from?.node, move?.to?.node)}`;
  }),
  ...keysOf(deploy.volumes).flatMap((name) => {
    const move = deploy.volumes[name];
    const first = `    volume ${name}: ${route(move?.from?.node, move?.to)}`;
    return [first, ...showRounds(move?.copies ?? [])];
  }),
  ...showTimeline(deploy.timeline, nowMs),
  ...progress.map((told) => `    ${renderBar(nameStep(told), told, nowMs)}`),
  `    if it stops now: ${IF_IT_STOPS[deploy.phase.name]}`,
  `    waits for ${deploy.phase.awaits.map(({ step, node }) => `${step} of ${node}`).join(", ")}`,
  ...(deploy.predictedPauseMs === null
    ? []
    : [`    pause predicted ${formatMs(deploy.predictedPauseMs)}${showBudget(deploy)}`]),
];

/** How much each round of the pre-copy found changed, and how fast it was copied. */
const showRounds = (copies: readonly CopyRound[]): string[] =>
  copies.flatMap(({ round, changedBytes, storedBytes, durationMs, hookFailure }) => {
    const rate = formatBytes((changedBytes / Math.max(1, durationMs)) * 1_000);
    const sizes = `${formatBytes(changedBytes)} changed, ${formatBytes(storedBytes)} stored`;
    return [
      `      round ${round}: ${sizes} in ${formatMs(durationMs)} (${rate}/s)`,
      ...(hookFailure === undefined ? [] : [`        ${hookFailure}`]),
    ];
  });

const showBudget = (deploy: Pick<Deploy, "volumes">): string => {
  const budget = pauseBudget(deploy);
  return budget === null ? "" : `, max_pause ${formatMs(budget)}`;
};

const showGap = (ended: EndedDeploy, predicted: string): string[] => {
  if (ended.gapMs === null) return [];
  const parts = explainGap(ended).map(({ name, ms }) => `${name} ${formatMs(ms)}`);
  return [
    `    gap ${formatMs(ended.gapMs)}${predicted}`,
    ...(parts.length === 0 ? [] : [`      ${parts.join(", ")}`]),
  ];
};

export const showEnded = (ended: EndedDeploy): string[] => {
  const predicted =
    ended.predictedPauseMs === null ? "" : ` (predicted ${formatMs(ended.predictedPauseMs)})`;
  return [
    `  deploy ${ended.id} of ${ended.commit?.slice(0, 10) ?? ended.ref}: ${ended.result}  ${ended.subject}`.trimEnd(),
    ...(ended.reason === null ? [] : ended.reason.split("\n").map((line) => `    ${line}`)),
    ...keysOf(ended.containers).map((name) => {
      const move = ended.containers[name];
      const stopped = move?.outcome.stopped;
      return `    container ${name}: ${route(move?.from, move?.to)}${stopped === undefined ? "" : `, stopped ${stopped}`}`;
    }),
    ...keysOf(ended.volumes).flatMap((name) => {
      const move = ended.volumes[name];
      const sealed = move?.sealed ?? null;
      const size = sealed === null ? "" : `, ${sealed.files} files, ${formatBytes(sealed.bytes)}`;
      const fetched =
        move?.hydrated === null || move === undefined
          ? ""
          : `, last fetch ${formatBytes(move.hydrated.fetchedBytes)}`;
      const first = `    volume ${name}: ${route(move?.from?.node, move?.to)}${size}${fetched}`;
      return [first, ...showRounds(move?.copies ?? [])];
    }),
    ...showTimeline(ended.timeline, ended.endedAtMs),
    ...showGap(ended, predicted),
  ];
};

export const showProject = (
  state: ProjectState,
  progress: readonly StepProgress[],
  nowMs: number,
): string[] => [
  `project ${state.project} at ${state.commit?.slice(0, 10) ?? "(nothing deployed)"}`,
  ...keysOf(state.containers).map((name) => {
    const container = state.containers[name];
    const ports = container?.spec.ports.map((p) => `:${p.hostPort}`).join(" ") ?? "";
    return `  container ${name} on ${container?.node}, epoch ${container?.epoch} ${ports}`.trimEnd();
  }),
  ...keysOf(state.volumes).map((name) => {
    const volume = state.volumes[name];
    const head =
      volume?.head === null || volume === undefined
        ? "no snapshot yet"
        : `${formatBytes(volume.head.bytes)}, sealed ${formatTime(volume.head.takenAtMs)}`;
    return `  volume ${name} ${volume?.owner === null ? "detached" : `on ${volume?.owner}`}, ${head}`;
  }),
  ...(state.deploy === null ? [] : showRunning(state.deploy, progress, nowMs)),
  ...(state.desired === null
    ? []
    : [`  waiting: ${state.desired.ref} (request ${state.desired.requestId})`]),
  ...(state.owedReplacement === null || state.deploy !== null
    ? []
    : [`  ${showOwed(state.owedReplacement)}`]),
  ...(state.deploy === null ? state.history.slice(-1).flatMap(showEnded) : []),
];

const showOwed = ({ node, containers, tries, dueAtMs }: OwedReplacement): string =>
  `lost with ${node}: ${keysOf(containers).join(", ")}; tried ${tries} times elsewhere, again from ${formatTime(dueAtMs)}`;
