/** What the control benchmark found, as rows and as the text above them. */
import type { Row } from "../bench.ts";
import type { Wave } from "./deploys.ts";
import { type FleetCounts, storeCounts } from "./fleet.ts";
import { type Counts, total } from "./fleet-messages.ts";
import { costOf } from "./prices.ts";

export const NODES = 10;
export const SINGLE_DEPLOYS = 10;
export const RECORD_SIZES = [1, 100, 1_000] as const;
export const MINUTE_MS = 60_000;
const P50_BOUND_MS = 1_000;
const REQUESTS_BOUND = 60;

export interface Measured extends Wave {
  readonly projects: number;
  readonly serves: number;
  readonly deploys: "moves" | "first deploys";
}

export interface Found {
  readonly single: Measured;
  /** Of one move, and of one deploy that stays, on its own, without what goes on anyway. */
  readonly requests: FleetCounts;
  readonly staying: FleetCounts;
  readonly waves: readonly Measured[];
  readonly idle: {
    readonly projects: number;
    readonly empty: FleetCounts;
    readonly full: FleetCounts;
  };
  readonly records: ReadonlyMap<number, number>;
}

export const rowsOf = ({ single, requests, staying, waves, idle, records }: Found): Row[] => {
  const on = "RGW, ElasticMQ";
  const atMost = (work: string, unit: Row["unit"], ours: number, bound: number): Row => ({
    ...{ work, on, unit, ours, peer: "bound", theirs: bound, ratio: bound / ours, target: 1 },
  });
  const against = (row: Pick<Row, "work" | "unit" | "ours" | "peer" | "theirs">): Row => ({
    ...{ ...row, on, ratio: row.theirs / row.ours, target: null },
  });
  const aDeployMs = ({ elapsedMs, deployed }: Measured) => elapsedMs / deployed;
  const aloneMs = single.elapsedMs / SINGLE_DEPLOYS;
  const [first = 1, ...later] = RECORD_SIZES;
  const all = (counts: FleetCounts) => total(storeCounts(counts));
  const isIdle = waves.every(({ notDeployed }) => notDeployed === 0);
  const bytesAt = (n: number) => records.get(n) ?? 0;
  return [
    atMost("control path of one deploy, p50", "ms", single.p50Ms, P50_BOUND_MS),
    atMost("store requests of a deploy that stays", "count", all(staying), REQUESTS_BOUND),
    atMost(
      "store requests of a move, its data apart",
      ...(["count", all(requests) - total(requests.engine), REQUESTS_BOUND] as const),
    ),
    ...waves.map((wave) =>
      against({
        work: `time a deploy, ${nameOf(wave)} at once, ${wave.serves} serve`,
        ...{ unit: "ms", ours: aDeployMs(wave), peer: "one at a time", theirs: aloneMs },
      }),
    ),
    against({
      work: `requests of an idle minute, ${idle.projects} projects${isIdle ? "" : ", not all deployed"}`,
      ...{ unit: "count", ours: requestsOf(idle.full), peer: "no projects" },
      theirs: requestsOf(idle.empty),
    }),
    ...later.map((n) =>
      against({
        work: `record after ${n} deploys`,
        ...{ unit: "bytes", ours: bytesAt(n), peer: `after ${n === 100 ? first : 100}` },
        theirs: bytesAt(n === 100 ? first : 100),
      }),
    ),
  ];
};

/** Those that did not come to their end are told, not counted. */
const nameOf = ({ projects, deploys, notDeployed }: Measured): string =>
  `${projects} ${deploys}${notDeployed === 0 ? "" : ` (${notDeployed} not deployed)`}`;

const requestsOf = (counts: FleetCounts): number =>
  total(storeCounts(counts)) + total(counts.queues);

const kinds = (counts: Counts): string =>
  Object.entries(counts)
    .filter(([, n]) => n >= 0.05)
    .sort(([, a], [, b]) => b - a)
    .map(([kind, n]) => `${kind} ${n.toFixed(1)}`)
    .join(", ");

export const aboutControl = ({ single, requests, staying, waves, idle }: Found): string => {
  const cost = costOf(storeCounts(requests), requests.queues);
  const idleCost = costOf(storeCounts(idle.full), idle.full.queues);
  const monthUsd = (idleCost.storeUsd + idleCost.queuesUsd) * 60 * 24 * 30;
  const perMinuteOf = ({ elapsedMs, deployed }: Measured) => (deployed * MINUTE_MS) / elapsedMs;
  const line = (wave: Measured, label = nameOf(wave)) =>
    `| ${label} | ${wave.serves} | ${perMinuteOf(wave).toFixed(0)} | ${Math.round(wave.p50Ms)} ms | ${Math.round(wave.p99Ms)} ms | ${(total(storeCounts(wave.counts)) / wave.deployed).toFixed(0)} |`;
  const one = { ...single, deployed: 1, elapsedMs: single.elapsedMs / SINGLE_DEPLOYS };
  const lone = { ...one, counts: requests };
  return [
    `Moves of one container with one volume between ${NODES} simulated nodes: the real agents and functions, with a Docker engine`,
    "in memory and a volume of one file of 1 KiB. `serve`, RGW, broker and nodes share the machine's cores. The control path is",
    "a deploy, from the sending of its request to the revision that ends it, less the time in which the engine was at its volume,",
    "or the volume waited for its turn at it. What waits there still counts in how many deploys a minute end. Steps come in the",
    "order in which they were asked for, so that of many deploys at once most end near the end.",
    "",
    "| at once | `serve` | deploys a minute | control path p50 | p99 | store requests a deploy |",
    "| --- | --- | --- | --- | --- | --- |",
    line(lone, "1 move, one after another"),
    ...waves.map((wave) => line(wave)),
    "",
    "Requests of one deploy on its own:",
    "",
    "| by | of a move | of a deploy that stays on its node |",
    "| --- | --- | --- |",
    `| control, store | ${kinds(requests.control)} | ${kinds(staying.control)} |`,
    `| nodes, store | ${kinds(requests.nodes)} | ${kinds(staying.nodes)} |`,
    `| nodes' engine, store | ${kinds(requests.engine)} | ${kinds(staying.engine)} |`,
    `| all, queues | ${kinds(requests.queues)} | ${kinds(staying.queues)} |`,
    "",
    `At AWS's list prices (us-east-1; [S3](https://aws.amazon.com/s3/pricing/), [SQS](https://aws.amazon.com/sqs/pricing/)) a thousand moves cost $${(cost.storeUsd * 1_000).toFixed(3)} in S3`,
    `and $${(cost.queuesUsd * 1_000).toFixed(3)} in SQS requests. In an idle minute the installation asks ${requestsOf(idle.empty).toFixed(0)} times without projects and`,
    `${requestsOf(idle.full).toFixed(0)} times with ${idle.projects} (${NODES} nodes' heartbeats, the sweep, long polls): $${monthUsd.toFixed(2)} a month, and nothing for a project at rest.`,
  ].join("\n");
};
