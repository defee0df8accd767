/**
 * One chaos run: an application whose every answer is checked, deploys that move it to and fro, and
 * faults on all real parts, as a seed has them. In the end all is healed, and what was promised is
 * held against what was seen.
 */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { mountFileSystem } from "../../bench/loop-mount.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { CHAOS_PACKAGES, ensureDebianPackages } from "../../infra/lab/debian-packages.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { openScene, type Scene } from "../lab/deploy-scene.ts";
import { createRandom, type Random } from "../simulation/random.ts";
import { type ChaosSite, FAULTS, type Struck } from "./faults.ts";
import { judge, type Verdict } from "./judge.ts";
import { type MessageCounts, startMessageProxy } from "./message-proxy.ts";
import { readLog, startTester } from "./tester.ts";

export interface ChaosOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly say: (line: string) => void;
}

export interface ChaosReport extends Verdict {
  readonly seed: number;
  readonly durationMs: number;
  /** Ended deploys by result. */
  readonly deploys: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly messages: MessageCounts;
  /** Where the logs and the answers lie. */
  readonly evidence: string;
  readonly isPassed: boolean;
}

const PORT = 8190;
const NODE_BYTES = 1.5 * 2 ** 30;
const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const HELD_MS = [300, 4_000] as const;
const PAUSE_MS = [500, 3_000] as const;
const HEAL_TIMEOUT_MS = 90_000;
const SETTLE_TIMEOUT_MS = 180_000;

const file = (node: string, round: number) => `web:
    image: log-writer
    environment: {ROUND: "${round}"}
    ports: ["${PORT}:8080"]
    healthcheck:
      test: ["CMD", "node", "-e", "fetch('http://127.0.0.1:8080/health').then(r => process.exit(r.ok ? 0 : 1))"]
      interval: 1s
      retries: 8
    stop_grace_period: 3s
    deploy:
      placement:
        constraints: ["node.id == ${node}"]
    volumes:
    - name: log
      path: /var/lib/data
`;

export const runChaos = async (
  lab: Lab,
  options: ChaosOptions,
  signal: AbortSignal,
): Promise<ChaosReport> => {
  await ensureDebianPackages(CHAOS_PACKAGES, signal);
  const random = createRandom(options.seed);
  const name = `chaos-${options.seed}-${Date.now().toString(36)}`;
  const proxy = await startMessageProxy(lab.sqs?.endpoint ?? "", lab.bridgeAddress, random);
  const mounts = lab.nodes.slice(0, 2).map(({ name: node, directory }) => {
    const clock = join(directory, `${name}.clock`);
    writeFileSync(clock, "+0");
    return { node, clock, ...mountFileSystem("ext4", join(directory, `${name}-disk`), NODE_BYTES) };
  });
  const nodeSettings = Object.fromEntries(
    mounts.map(({ node, clock, directory }) => [node, { ...fakeClock(clock), ...root(directory) }]),
  );
  const environment = { BAGAGE_SQS_ENDPOINT: proxy.endpoint };
  const placed = { name, store: "s3", queue: "elasticmq", sweepS: 2 } as const;
  const scene = await openScene(lab, { ...placed, environment, nodeSettings });
  try {
    await scene.installation.startServe("serve-b");
    const site: ChaosSite = {
      lab,
      installation: scene.installation,
      random,
      roots: new Map(mounts.map(({ node, directory }) => [node, directory])),
      clocks: new Map(mounts.map(({ node, clock }) => [node, clock])),
      signal,
    };
    return await play({ ...options, scene, site, proxy });
  } finally {
    await scene.close();
    await proxy.close();
    for (const mount of mounts) mount.unmount();
  }
};

const root = (directory: string) => ({ BAGAGE_NODE_ROOT: join(directory, "node") });

/** Wall time alone: no one can set the clock that leases and timers are measured on. */
const fakeClock = (clock: string) => ({
  LD_PRELOAD: FAKETIME,
  FAKETIME_TIMESTAMP_FILE: clock,
  FAKETIME_NO_CACHE: "1",
  FAKETIME_DONT_FAKE_MONOTONIC: "1",
});

interface Play extends ChaosOptions {
  readonly scene: Scene;
  readonly site: ChaosSite;
  readonly proxy: Awaited<ReturnType<typeof startMessageProxy>>;
}

const play = async (run: Play): Promise<ChaosReport> => {
  const { scene, site, proxy, seed, durationMs, say } = run;
  const { directory } = scene.installation;
  const note = (line: string) => {
    appendFileSync(join(directory, "chaos.log"), `${new Date().toISOString()} ${line}\n`);
    say(line);
  };
  const first = await scene.repository.push({ Deliverous: file("x", 0) }, "Deploy 0");
  await scene.ended(first.commit);
  const urls = site.lab.nodes.slice(0, 2).map(({ address }) => `http://${address}:${PORT}`);
  const tester = startTester(urls);
  const until = new AbortController();
  const deploying = keepDeploying(scene, until.signal, note);
  const faults = await keepStriking(site, durationMs, note);
  until.abort();
  const rounds = await deploying;
  proxy.calm();
  await delay(0);
  note("all is healed; the last deploy");
  const last = await scene.repository.push({ Deliverous: file("x", rounds + 1) }, "The last");
  await waitEnded(scene, last.commit, SETTLE_TIMEOUT_MS);
  const log = await waitUntil(
    () => Promise.any(urls.map(readLog)),
    { what: "the application serves", timeoutMs: SETTLE_TIMEOUT_MS },
    site.signal,
  );
  await tester.stop();
  const finalLog = await Promise.any(urls.map(readLog)).catch(() => log);
  const verdict = judge(tester.acknowledged, tester.sightings, finalLog);
  const { lost, repeated, disordered, overlaps, acknowledged } = verdict;
  const bad = lost.length + repeated.length + disordered.length + overlaps.length;
  const seen = { acknowledged: tester.acknowledged, sightings: tester.sightings, log: finalLog };
  writeFileSync(join(directory, "chaos-seen.json"), JSON.stringify(seen));
  const { history } = await scene.state();
  return {
    ...verdict,
    seed,
    durationMs,
    deploys: countBy(history.map(({ result }) => result)),
    faults,
    messages: proxy.counts,
    evidence: directory,
    isPassed: bad === 0 && acknowledged > 0,
  };
};

const waitEnded = (scene: Scene, commit: string, timeoutMs: number) =>
  waitUntil(
    async () => (await scene.state()).history.find((ended) => ended.commit === commit),
    { what: `the end of ${commit}`, timeoutMs },
    AbortSignal.timeout(timeoutMs + 1_000),
  );

/** To and fro, each deploy to its end; one that does not end is left to the sweep. */
const keepDeploying = async (
  scene: Scene,
  until: AbortSignal,
  note: (line: string) => void,
): Promise<number> => {
  let round = 0;
  while (!until.aborted) {
    round += 1;
    const node = round % 3 === 0 ? "x" : round % 3 === 1 ? "y" : "x";
    try {
      const pushed = await scene.repository.push(
        { Deliverous: file(node, round) },
        `Deploy ${round}`,
      );
      const ended = await waitEnded(scene, pushed.commit, 60_000);
      note(`deploy ${round} to ${node}: ${ended.result} ${ended.reason ?? ""}`);
    } catch (error) {
      note(`deploy ${round} to ${node}: ${String(error)}`);
    }
  }
  return round;
};

const keepStriking = async (
  site: ChaosSite,
  durationMs: number,
  note: (line: string) => void,
): Promise<Record<string, number>> => {
  const { random } = site;
  const endMs = performance.now() + durationMs;
  const struck: string[] = [];
  let kinds: string[] = [];
  while (performance.now() < endMs) {
    // Every kind once before any of them a second time.
    if (kinds.length === 0) kinds = shuffle(Object.keys(FAULTS), random);
    const kind = kinds.pop() ?? "";
    const strike = FAULTS[kind];
    if (strike === undefined) continue;
    const fault = await strike(site);
    struck.push(kind);
    note(`${kind}: ${fault.what}`);
    await delay(random.between(...HELD_MS));
    await heal(fault, kind, note);
    await delay(random.between(...PAUSE_MS));
  }
  return countBy(struck);
};

const heal = async (fault: Struck, kind: string, note: (line: string) => void): Promise<void> => {
  const healed = AbortSignal.timeout(HEAL_TIMEOUT_MS);
  await waitUntil(
    async () => {
      await fault.heal();
      return true;
    },
    { what: `${kind} is healed`, timeoutMs: HEAL_TIMEOUT_MS, intervalMs: 1_000 },
    healed,
  );
  note(`${kind}: ${fault.what} is healed`);
};

const shuffle = (items: readonly string[], random: Random): string[] =>
  items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);

const countBy = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};
