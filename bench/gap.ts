/**
 * `npm run bench -- gap`: an SQLite application under a steady write load is moved between two Docker
 * hosts over a real RGW; beside it the same move by stop, restic backup, restic restore and start, and
 * by stop, tar over the network and start.
 */
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import {
  BENCH_PACKAGES,
  ensureDebianPackages,
  IMAGE_PACKAGES,
} from "../infra/lab/debian-packages.ts";
import { attachOrStartLab } from "../infra/lab/lab.ts";
import { explainGap } from "../workflows/deploy/explain-gap.ts";
import type { Bench, Row } from "./bench.ts";
import { openRestic, removeObjects } from "./engine-tools.ts";
import { movePeers, type PeerTimes } from "./gap/peers.ts";
import { plotGaps } from "./gap/plot.ts";
import { type GapScene, openGapScene } from "./gap/scene.ts";
import { startWriteLoad } from "./gap/write-load.ts";

const MIB = 2 ** 20;
const PORT = 8190;
const ROWS_A_WRITE = 4;
const MOVES = 3;
/** The lab's store has 8 GiB: the largest volume must fit in twice, for bagage and for restic. */
const SIZES = "16,256,1434,3072";
const QUICK_SIZES = "16,64";
const APP = fileURLToPath(new URL("gap/app", import.meta.url));

export interface SizeResult {
  readonly mib: number;
  /** Medians over the moves: as the record has it, and as a client that writes sees it. */
  readonly gapMs: number;
  readonly silenceMs: number;
  readonly parts: string;
  readonly movedBytes: number;
  readonly peers: PeerTimes;
}

export const gapBench: Bench = {
  title: "Gap",
  options: { sizes: { type: "string" }, on: { type: "string", default: "xfs" } },
  run: async ({ options, isQuick, scratch, log }, signal) => {
    await ensureDebianPackages([...BENCH_PACKAGES, ...IMAGE_PACKAGES], signal);
    const lab = await attachOrStartLab({ engines: 2, gateways: 1, elasticmq: true }, log, signal);
    const { s3 } = lab;
    if (s3 === undefined) throw new Error("the lab has no S3 gateway");
    const kind = options["on"] === "ext4" ? "ext4" : "xfs";
    const sizes = String(options["sizes"] ?? (isQuick ? QUICK_SIZES : SIZES)).split(",");
    try {
      for (const { dockerSocket } of lab.nodes) await buildApp(dockerSocket);
      const name = `gap${Date.now() % 1_000_000}`;
      const scene = await openGapScene(lab, { name, scratch, kind });
      const restic = openRestic(s3, scratch);
      const results: SizeResult[] = [];
      try {
        await scene.deploy(fileFor("x", 0));
        for (const mib of sizes.map(Number)) {
          const moved = await moveUnderLoad(scene, mib, signal);
          const repository = `${name}-restic-${mib}`;
          const peers = await movePeers(scene, restic(repository), signal);
          await removeObjects({ s3 }, repository, signal);
          results.push({ mib, ...moved, peers });
          log(`${mib} MiB: ${JSON.stringify(results.at(-1))}`);
        }
      } finally {
        await scene.close();
      }
      const plots = new Map([["benchmarks-gap.svg", plotGaps(results)]]);
      return { rows: rowsOf(results, kind), about: about(results), plots };
    } finally {
      await lab.stop(AbortSignal.timeout(120_000));
    }
  },
};

const buildApp = async (socketPath: string): Promise<void> => {
  const docker = new Docker({ socketPath });
  const src = ["Dockerfile", "rows.ts", "package.json"];
  const built = await docker.buildImage({ context: APP, src }, { t: "gap-rows:latest" });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(built, (error) => (error === null ? resolve() : reject(error)));
  });
};

const fileFor = (node: string, version: number): string => `web:
    image: gap-rows
    environment: { VERSION: "${version}" }
    ports: ["${PORT}:8080"]
    healthcheck:
      test: ["CMD", "/bin/busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/health"]
    volumes:
    - name: data
      path: /var/lib/data
    deploy:
      placement:
        constraints: ["node.id == ${node}"]
`;

let version = 0;
let place = 0;

const moveUnderLoad = async (scene: GapScene, mib: number, signal: AbortSignal) => {
  const url = (node: number) => `http://${scene.nodes[node]?.address}:${PORT}`;
  const post = async (path: string, either: AbortSignal): Promise<void> => {
    const response = await fetch(path, { method: "POST", signal: either });
    await response.arrayBuffer();
    if (response.status !== 201) throw new Error(`${path}: ${response.status}`);
  };
  await scene.untilServed(() => post(`${url(place)}/fill?bytes=${mib * MIB}`, signal));
  const first = Date.now();
  const load = startWriteLoad((node, n, either) =>
    post(`${url(node)}/update?rows=${ROWS_A_WRITE}&n=${first + n}`, either),
  );
  const moves = [];
  for (let i = 0; i < MOVES; i += 1) {
    place = 1 - place;
    version += 1;
    load.takeLongestSilenceMs();
    const ended = await scene.deploy(fileFor(place === 0 ? "x" : "y", version));
    await scene.untilServed(() => post(`${url(place)}/update?rows=1&n=${Date.now() * 2}`, signal));
    const [volume] = Object.values(ended.volumes);
    moves.push({
      gapMs: ended.gapMs ?? 0,
      silenceMs: load.takeLongestSilenceMs(),
      parts: explainGap(ended)
        .map((part) => `${part.name} ${part.ms}`)
        .join(", "),
      movedBytes: (volume?.sealed?.storedBytes ?? 0) + (volume?.hydrated?.fetchedBytes ?? 0),
    });
  }
  const acknowledged = await load.stop();
  const noted = (await (await fetch(`${url(place)}/noted`)).json()) as number[];
  const there = new Set(noted);
  const lost = acknowledged.filter((n) => !there.has(first + n));
  if (lost.length > 0) throw new Error(`${lost.length} acknowledged writes are lost`);
  const [median] = moves.sort((a, b) => a.gapMs - b.gapMs).slice(Math.floor(MOVES / 2));
  if (median === undefined) throw new Error("nothing was moved");
  return median;
};

const rowsOf = (results: readonly SizeResult[], on: string): Row[] => {
  const smallest = results[0];
  return results.flatMap(({ mib, gapMs, peers }) => {
    const row = { work: `gap, ${mib} MiB`, on, unit: "ms" as const, ours: gapMs };
    const against = (peer: string, theirs: number, target: number | null): Row => ({
      ...{ ...row, peer, theirs },
      ratio: theirs / gapMs,
      target,
    });
    return [
      ...(smallest === undefined || smallest.mib === mib
        ? []
        : [against(`gap, ${smallest.mib} MiB`, smallest.gapMs, mib === 1434 ? 1 / 1.3 : null)]),
      against("stop + create + start + 1 s", peers.engineMs + 1_000, 1),
      against("restic", peers.resticMs, mib === 1434 ? 10 : null),
      against("tar over the network", peers.tarMs, null),
    ];
  });
};

const about = (results: readonly SizeResult[]): string =>
  [
    `An SQLite application with rows of 8 KB that takes about 20 writes a second, of ${ROWS_A_WRITE} random rows each, is moved`,
    `${MOVES} times per size between two Docker engines over Ceph RGW and ElasticMQ; medians. The peers move a copy of the same volume that`,
    "nobody writes to; restic has backed it up before and finds 200 rows changed. No acknowledged write was lost.",
    "",
    "| volume | gap | longest silence for a writer | moved in the gap | what the gap consists of, ms |",
    "| --- | --- | --- | --- | --- |",
    ...results.map(
      ({ mib, gapMs, silenceMs, movedBytes, parts }) =>
        `| ${mib} MiB | ${gapMs} ms | ${Math.round(silenceMs)} ms | ${(movedBytes / MIB).toFixed(1)} MiB | ${parts} |`,
    ),
  ].join("\n");
