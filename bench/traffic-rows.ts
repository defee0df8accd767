/** What clients saw of the moves, as rows: what failed, what was lost, and how long they waited. */
import type { EndedDeploy } from "../workflows/record.ts";
import type { Row } from "./bench.ts";
import { summariseWaits, type Waits } from "./percentiles.ts";
import type { Sample } from "./traffic-load.ts";

export interface Traffic {
  /** To the node's published port, with no edge between and no move. */
  readonly straight: readonly Sample[];
  readonly throughEdge: readonly Sample[];
  readonly deploys: readonly EndedDeploy[];
  /** What the container has on its disk in the end, in order. */
  readonly records: readonly number[];
}

/** The clients that were held reach the container when its gate is open, a moment after the commit. */
const AFTER_MS = 1_000;

export const trafficRows = (traffic: Traffic): Row[] => {
  const { straight, throughEdge, deploys } = traffic;
  const isInMove = ({ atMs }: Sample): boolean =>
    deploys.some(
      ({ startedAtMs, endedAtMs }) => atMs >= startedAtMs && atMs < endedAtMs + AFTER_MS,
    );
  const groups = Map.groupBy(throughEdge, isInMove);
  const inMoves = waitsOf(groups.get(true));
  const outside = waitsOf(groups.get(false));
  const longestGapMs = Math.max(0, ...deploys.map(({ gapMs }) => gapMs ?? 0));
  return [
    ...findLosses(traffic),
    {
      ...{ work: "longest wait", on: "in moves", unit: "ms", ours: inMoves.longestMs },
      ...{ peer: "longest gap", theirs: longestGapMs, target: null },
      ratio: share(longestGapMs, inMoves.longestMs),
    },
    ...compare("outside moves", outside, "no edge, no move", waitsOf(straight)),
    ...compare("in moves", inMoves, "outside moves", outside),
  ];
};

const findLosses = ({ throughEdge, deploys, records }: Traffic): Row[] => {
  const failed = throughEdge.filter(({ status }) => status === null || status >= 300);
  const written = new Set(records);
  const acknowledged = throughEdge.flatMap(({ number, status }) =>
    number !== null && status === 201 ? [number] : [],
  );
  const lost = acknowledged.filter((number) => !written.has(number));
  const moved = deploys.filter(({ result }) => result === "deployed");
  return [
    countRow("moves that failed", deploys.length - moved.length, "moves", deploys.length),
    countRow("requests that failed", failed.length, "requests", throughEdge.length),
    countRow("acknowledged writes lost", lost.length, "acknowledged", acknowledged.length),
    countRow("writes done twice", records.length - written.size, "records", records.length),
  ];
};

/** Nothing bad may be among all. */
const countRow = (work: string, bad: number, peer: string, all: number): Row => ({
  ...{ work, on: "in and outside moves", unit: "count", ours: bad, peer, theirs: all },
  ...{ ratio: share(all - bad, all), target: 1 },
});

const compare = (on: string, ours: Waits, peer: string, theirs: Waits): Row[] =>
  (["p50Ms", "p99Ms", "p999Ms"] as const).map((key) => ({
    ...{ work: `${LABELS[key]} of ${ours.count} waits`, on, unit: "ms", ours: ours[key] },
    ...{ peer, theirs: theirs[key], ratio: share(theirs[key], ours[key]), target: null },
  }));

const LABELS = { p50Ms: "p50", p99Ms: "p99", p999Ms: "p99.9" } as const;

const waitsOf = (samples: readonly Sample[] | undefined): Waits =>
  summariseWaits((samples ?? []).map(({ waitMs }) => waitMs));

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
