/**
 * One chaos run: an application whose every answer is checked, deploys that move it to and fro, and
 * faults on all real parts, as a seed has them. In the end all is healed, and what was promised is
 * held against what was seen.
 */
import { appendFileSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { mountFileSystem } from "../../bench/loop-mount.ts";
import { parseAppendLog } from "../../infra/demo/app/append-log.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { CHAOS_PACKAGES, ensureDebianPackages } from "../../infra/lab/debian-packages.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { openScene, type Scene } from "../lab/deploy-scene.ts";
import { createRandom } from "../simulation/random.ts";
import { type ChaosSite, FAULTS, LOSSES } from "./faults.ts";
import { judge, type LogLine, type Verdict } from "./judge.ts";
import { deployerOf, keepDeploying, type OnNodeLoss, PORT, waitEnded } from "./keep-deploying.ts";
import { keepStriking } from "./keep-striking.ts";
import { type MessageCounts, startMessageProxy } from "./message-proxy.ts";
import { readLog, startTester } from "./tester.ts";

export interface ChaosOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly onNodeLoss: OnNodeLoss;
  readonly say: (line: string) => void;
}

export interface ChaosReport extends Verdict {
  readonly seed: number;
  readonly durationMs: number;
  readonly onNodeLoss: OnNodeLoss;
  /** How often the volume went on without its node. */
  readonly failovers: number;
  /** Deploys that were asked for, by result; those that had not ended in a minute as such. */
  readonly deploys: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly messages: MessageCounts;
  /** Where the logs and the answers lie. */
  readonly evidence: string;
  readonly isPassed: boolean;
}

const NODE_BYTES = 1.5 * 2 ** 30;
const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const SETTLE_TIMEOUT_MS = 180_000;
/** One a second, and none where nothing is missing. */
const BRANCH_LOOKS = 30;

/** Long enough for the faults that are soon healed, short enough for a run of a minute. */
const LEASE_S = 10;
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
  const environment = { BAGAGE_SQS_ENDPOINT: proxy.endpoint, BAGAGE_LEASE_S: String(LEASE_S) };
  const placed = { name, store: "s3", queue: "elasticmq", sweepS: 2, hook: false } as const;
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
    for (const mount of mounts) await mount.unmount();
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
  const deploy = deployerOf(scene, run.onNodeLoss);
  await scene.ended(await deploy("x", 0));
  const urls = site.lab.nodes.slice(0, 2).map(({ address }) => `http://${address}:${PORT}`);
  const tester = startTester(urls);
  const until = new AbortController();
  const deploying = keepDeploying(scene, deploy, until.signal, note);
  const kinds = run.onNodeLoss === "restore" ? { ...FAULTS, ...LOSSES } : FAULTS;
  const faults = await keepStriking(site, kinds, durationMs, note);
  until.abort();
  const results = await deploying;
  proxy.calm();
  await delay(0);
  note("all is healed; the last deploy");
  await waitEnded(scene, await deploy("x", results.length + 1), SETTLE_TIMEOUT_MS);
  const log = await waitUntil(
    () => Promise.any(urls.map(readLog)),
    { what: "the application serves", timeoutMs: SETTLE_TIMEOUT_MS },
    site.signal,
  );
  await tester.stop();
  const finalLog = await Promise.any(urls.map(readLog)).catch(() => log);
  const { acknowledged: acked, sightings } = tester;
  let branches = await readBranches(scene, site);
  const look = () => judge(acked, sightings, finalLog, branches);
  // A node that is back puts aside what it had, once it has read that it is not the owner.
  for (let n = 0; n < BRANCH_LOOKS && look().lost.length > 0; n += 1) {
    await delay(1_000);
    branches = await readBranches(scene, site);
  }
  const verdict = look();
  const { lost, repeated, disordered, overlaps, acknowledged } = verdict;
  const bad = lost.length + repeated.length + disordered.length + overlaps.length;
  const seen = { acknowledged: acked, sightings, log: finalLog, branches };
  writeFileSync(join(directory, "chaos-seen.json"), JSON.stringify(seen));
  const { volumes } = await scene.state();
  const failovers = Object.values(volumes)[0]?.losses.length ?? 0;
  return {
    ...verdict,
    seed,
    durationMs,
    onNodeLoss: run.onNodeLoss,
    failovers,
    deploys: countBy(results),
    faults: countBy(faults),
    messages: proxy.counts,
    evidence: directory,
    isPassed: bad === 0 && acknowledged > 0,
  };
};

/** What the nodes keep aside of what was ever given up. */
const readBranches = async (scene: Scene, { roots }: ChaosSite): Promise<LogLine[]> => {
  const lines: LogLine[] = [];
  for (const root of roots.values()) {
    const volume = join(root, "node", "volumes", scene.project, "log");
    for (const name of existsSync(volume) ? readdirSync(volume) : []) {
      if (!name.startsWith("branch-e")) continue;
      const log = await readFile(join(volume, name, "data", "log"), "utf8");
      lines.push(...parseAppendLog(log));
    }
  }
  return lines;
};

const countBy = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};
