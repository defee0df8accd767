/** What strikes a chaos run: each fault is brought about on a real part, held, and healed. */
import { execFileSync } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectDocker } from "../../adapters/docker-engine.ts";
import { identifyProcess, signalProcess } from "../../adapters/process-identity.ts";
import { askOsd } from "../../infra/lab/ceph.ts";
import type { Lab, LabNode } from "../../infra/lab/connect-lab.ts";
import { awaitDaemon, findDaemon, killDaemon, restartDaemon } from "../../infra/lab/daemons.ts";
import type { Installation } from "../../infra/lab/installation.ts";
import { labHost } from "../../infra/lab/network.ts";
import type { Random } from "../simulation/random.ts";

export interface ChaosSite {
  readonly lab: Lab;
  readonly installation: Installation;
  readonly random: Random;
  /** Where each node has its data: a small file system of its own. */
  readonly roots: ReadonlyMap<string, string>;
  /** Files that the clocks of the nodes' agents are read from. */
  readonly clocks: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
}

export interface Struck {
  readonly what: string;
  /** Held at least so long. */
  readonly heldMs?: number;
  heal(): Promise<void>;
}

type Strike = (site: ChaosSite) => Promise<Struck>;

const READY = { timeoutMs: 60_000 };
const CONTROLS = ["serve", "serve-b"];

const pickNode = ({ lab, random }: ChaosSite): LabNode => random.pick(lab.nodes.slice(0, 2));

const killAgent: Strike = async (site) => {
  const { name } = pickNode(site);
  await site.installation.stop(`node-${name}`, "SIGKILL");
  return { what: name, heal: () => site.installation.startNode(name) };
};

const killControl: Strike = async ({ installation, random }) => {
  const name = random.pick(CONTROLS);
  await installation.stop(name, "SIGKILL");
  return { what: name, heal: () => installation.startServe(name) };
};

const killEngine: Strike = async (site) => {
  const { lab, signal } = site;
  const node = pickNode(site);
  const daemon = { name: `docker-${node.name}`, labDirectory: lab.directory };
  const spec = killDaemon(daemon, node.namespace);
  const docker = connectDocker({ socketPath: node.dockerSocket });
  const heal = async () => {
    await restartDaemon(spec, signal);
    await awaitDaemon(spec, () => docker.ping(signal).then(() => true), { ...READY, signal });
  };
  return { what: node.name, heal };
};

const killGateway: Strike = async ({ lab, random, signal }) => {
  const index = random.between(0, 1);
  await lab.s3?.killGateway(index, signal);
  const heal = async () => lab.s3?.startGateway(index, signal);
  return { what: `gateway ${index}`, heal };
};

const killOsd: Strike = async ({ lab, signal }) => {
  const { s3 } = lab;
  const host = labHost(lab.id, "store").namespace;
  const spec = killDaemon({ name: "ceph-osd", labDirectory: lab.directory }, host);
  const heal = async () => {
    await restartDaemon(spec, signal);
    if (s3 !== undefined) await awaitDaemon(spec, () => askOsd(s3, signal), { ...READY, signal });
  };
  return { what: "the only OSD", heal };
};

/** Stopped as by a debugger or a starved machine, and going on as if nothing had been. */
const freeze = (what: string, pid: number): Struck => {
  const identity = identifyProcess(pid);
  if (identity !== undefined) signalProcess(identity, "SIGSTOP");
  const heal = async () => identity && signalProcess(identity, "SIGCONT");
  return { what, heal: async () => void (await heal()) };
};

const freezeAgent: Strike = async (site) => {
  const { name } = pickNode(site);
  return freeze(name, site.installation.pid(`node-${name}`));
};

const freezeControl: Strike = async ({ installation, random }) => {
  const name = random.pick(CONTROLS);
  return freeze(name, installation.pid(name));
};

const freezeEngine: Strike = async (site) => {
  const { name } = pickNode(site);
  const daemon = findDaemon({ name: `docker-${name}`, labDirectory: site.lab.directory });
  return freeze(name, daemon?.pid ?? 0);
};

const unplug: Strike = async (site) => {
  const node = pickNode(site);
  await node.setLink("down", site.signal);
  return { what: node.name, heal: () => node.setLink("up", site.signal) };
};

/** For longer than its lease, and than others wait for it. */
const LOST_MS = 25_000;

const loseNode: Strike = async (site) => ({ ...(await unplug(site)), heldMs: LOST_MS });

const cutFromStore: Strike = async (site) => {
  const node = pickNode(site);
  const { hostname } = new URL(site.lab.s3?.endpoints[0] ?? "");
  await node.setReachable(hostname, "cut", site.signal);
  return { what: node.name, heal: () => node.setReachable(hostname, "reachable", site.signal) };
};

const fillDisk: Strike = async (site) => {
  const { name } = pickNode(site);
  const root = site.roots.get(name) ?? "";
  const filler = join(root, "filler");
  const { bavail, bsize } = statfsSync(root);
  execFileSync("fallocate", ["--length", String(bavail * bsize), filler], { stdio: "pipe" });
  return { what: name, heal: async () => rmSync(filler, { force: true }) };
};

const jumpClock: Strike = async (site) => {
  const { name } = pickNode(site);
  const clock = site.clocks.get(name) ?? "";
  const jump = site.random.pick(["+1d", "-1d", "+3600", "-3600"]);
  writeFileSync(clock, jump);
  return { what: `${name} ${jump}`, heal: async () => writeFileSync(clock, "+0") };
};

export const FAULTS: Readonly<Record<string, Strike>> = {
  "kill -9 of an agent": killAgent,
  "kill -9 of a control process": killControl,
  "kill -9 of a Docker engine": killEngine,
  "kill -9 of a gateway": killGateway,
  "kill -9 of the OSD": killOsd,
  "SIGSTOP of an agent": freezeAgent,
  "SIGSTOP of a control process": freezeControl,
  "SIGSTOP of a Docker engine": freezeEngine,
  "node unplugged": unplug,
  "node cut off from the store": cutFromStore,
  "disk of a node full": fillDisk,
  "clock of an agent jumps": jumpClock,
};

/** For volumes that may go on without their node. */
export const LOSSES: Readonly<Record<string, Strike>> = { "node lost for 25 s": loseNode };
