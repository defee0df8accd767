/** What was measured of one size of one application, as rows and as text for the page. */
import type { Row } from "../bench.ts";
import { ROWS_A_WRITE, ROWS_CHANGED_FOR_PEERS } from "./application.ts";
import { MOVES } from "./move-under-load.ts";
import type { PeerTimes } from "./peers.ts";

const MIB = 2 ** 20;
/** The size that the bounds are held at. */
const BOUND_MIB = 1434;

export interface SizeResult {
  readonly application: string;
  /** Of its rows. */
  readonly mib: number;
  /** Medians over the moves: as the record has it, and as a client that writes sees it. */
  readonly gapMs: number;
  readonly predictedMs: number | null;
  readonly silenceMs: number;
  readonly parts: string;
  /** Of the volume. */
  readonly bytes: number;
  readonly movedBytes: number;
  readonly peers: PeerTimes;
}

export const gapRows = (results: readonly SizeResult[], on: string): Row[] =>
  results.flatMap(({ application, mib, gapMs, peers }) => {
    const smallest = results.find((result) => result.application === application);
    const work = `${application}, ${mib} MiB: gap`;
    const against = (peer: string, theirs: number, target: number | null): Row => ({
      ...{ work, on, unit: "ms", ours: gapMs, peer, theirs },
      ratio: theirs / gapMs,
      target,
    });
    const isBound = mib === BOUND_MIB;
    return [
      ...(smallest === undefined || smallest.mib === mib
        ? []
        : [against(`gap, ${smallest.mib} MiB`, smallest.gapMs, isBound ? 1 / 1.3 : null)]),
      against("stop + create + start + 1 s", peers.engineMs + 1_000, 1),
      against("restic", peers.resticMs, isBound ? 10 : null),
      against("tar over the network", peers.tarMs, null),
    ];
  });

export const describeGaps = (results: readonly SizeResult[]): string =>
  [
    `An SQLite file with rows of 8 KB and a PostgreSQL with rows of 1 KB, which take about 20 writes a second, of ${ROWS_A_WRITE} random`,
    `rows each, are moved ${MOVES} times per size between two Docker engines over Ceph RGW and ElasticMQ; medians. Theirs`,
    "and ours begin once the disk, which they all share, has worked off what was before. The peers move a copy of",
    `the same volume that nobody writes to; restic has backed it up before and finds ${ROWS_CHANGED_FOR_PEERS} rows changed. PostgreSQL's file`,
    "has a CHECKPOINT as `before_copy`. No acknowledged write was lost.",
    "",
    "| application | rows | volume | gap | predicted | longest silence for a writer | moved in the gap | what the gap consists of, ms |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ...results.map((result) => {
      const { application, mib, gapMs, predictedMs, silenceMs, parts } = result;
      const inMib = (bytes: number, digits: number) => `${(bytes / MIB).toFixed(digits)} MiB`;
      const cells = [
        ...[application, `${mib} MiB`, inMib(result.bytes, 0), `${gapMs} ms`],
        ...[predictedMs === null ? "" : `${predictedMs} ms`, `${Math.round(silenceMs)} ms`],
        ...[inMib(result.movedBytes, 1), parts],
      ];
      return `| ${cells.join(" | ")} |`;
    }),
  ].join("\n");
