/**
 * The only way in which a lab ends: everything in its namespaces and control groups is killed, what
 * is mounted below its directories is unmounted, and all of it is removed but the logs. It works the
 * same on a healthy lab and on the ruins of one, so a lab whose owner died is no special case.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { identifyProcess, isAlive } from "../../adapters/process-identity.ts";
import { TerminalError } from "../../volume/errors.ts";
import { removeCgroup } from "./cgroups.ts";
import { type Claim, listClaims, releaseClaim, runDirectory } from "./claims.ts";
import { tryCommand } from "./command.ts";
import { containerPids, engineCgroup } from "./docker-engine.ts";
import {
  type LabHost,
  labHost,
  labNamespaces,
  NODE_NAMES,
  namespacePids,
  removeNetwork,
} from "./network.ts";
import { waitUntil } from "./wait-until.ts";

const END_TIMEOUT_MS = 30_000;

/** Idempotent. Rejects when something of the lab withstands its removal. */
export const removeLab = async ({ id, directory }: Claim, signal: AbortSignal): Promise<void> => {
  await killAll(() => labPids(id, signal), `lab ${id} has no processes`, signal);
  await unmountBelow([directory, runDirectory(id)], signal);
  await removeCgroups(id, signal);
  await removeNetwork(id, signal);
  for (const name of readdirIfAny(directory).filter((entry) => entry !== "log")) {
    rmSync(join(directory, name), { recursive: true, force: true });
  }
  releaseClaim(id);
};

/** Removes every lab whose owner is gone. Resolves with their ids. */
export const removeDeadLabs = async (signal: AbortSignal): Promise<string[]> => {
  const removed: string[] = [];
  for (const claim of listClaims()) {
    if (await isLabAlive(claim, signal)) continue;
    await removeLab(claim, signal);
    removed.push(claim.id);
  }
  return removed;
};

/** A lab lives with its owner; without one, for as long as anything runs in it. */
export const isLabAlive = async ({ id, owner }: Claim, signal: AbortSignal): Promise<boolean> =>
  owner === null ? (await labPids(id, signal)).length > 0 : isAlive(owner);

/** Kills whatever the question finds, and asks again until it finds nothing. */
export const killAll = async (
  find: () => Promise<readonly number[]>,
  what: string,
  signal: AbortSignal,
): Promise<void> => {
  const killed = async () => {
    const pids = await find();
    for (const pid of pids) killNow(pid);
    return pids.length === 0 ? true : undefined;
  };
  await waitUntil(killed, { what, timeoutMs: END_TIMEOUT_MS, intervalMs: 50 }, signal);
};

/** Everything that runs in the lab: on its hosts, its switch, and in its containers. */
export const labPids = async (id: string, signal: AbortSignal): Promise<number[]> => {
  const names = await labNamespaces(id, signal);
  const onHosts = await Promise.all(names.map((name) => namespacePids(name, signal)));
  const inContainers = NODE_NAMES.flatMap((name) => containerPids(labHost(id, name)));
  return [...onHosts.flat(), ...inContainers].filter(isRunning);
};

/** Everything that runs on one node, in containers or beside them. */
export const nodePids = async (host: LabHost, signal: AbortSignal): Promise<number[]> => {
  const onHost = await namespacePids(host.namespace, signal);
  return [...onHost, ...containerPids(host)].filter(isRunning);
};

const isRunning = (pid: number) => identifyProcess(pid) !== undefined;

/**
 * Unmounts everything at or below the directories, the innermost first.
 * @throws TerminalError `still_mounted`: to delete what is below would delete another's files.
 */
export const unmountBelow = async (
  directories: readonly string[],
  signal: AbortSignal,
): Promise<void> => {
  for (const path of mountsBelow(directories).reverse()) {
    await tryCommand(["umount", "--lazy", path], {}, signal);
  }
  const remaining = mountsBelow(directories);
  if (remaining.length > 0) {
    throw new TerminalError(`Still mounted: ${remaining.join(", ")}`, { code: "still_mounted" });
  }
};

/** Mount points at or below the directories, in the order they were mounted; see proc(5). */
export const mountsBelow = (directories: readonly string[]): string[] =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => (line.split(" ")[4] ?? "").replaceAll("\\040", " "))
    .filter((path) => directories.some((root) => path === root || path.startsWith(`${root}/`)));

/** A group is busy until the kernel has buried the last of the processes that were killed in it. */
const removeCgroups = async (id: string, signal: AbortSignal): Promise<void> => {
  const what = `lab ${id} has no control groups`;
  await waitUntil(
    async () => {
      for (const name of NODE_NAMES) removeCgroup(engineCgroup({ host: labHost(id, name) }));
      return true;
    },
    { what, timeoutMs: END_TIMEOUT_MS, intervalMs: 50 },
    signal,
  );
};

const killNow = (pid: number): void => {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself, which is all that is wanted.
  }
};

const readdirIfAny = (directory: string): string[] => {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
};
