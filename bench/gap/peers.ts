/** The same move as anybody could make it: stop, carry all of the volume over, start. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "../../adapters/clock.ts";
import { waitHealthy } from "../../adapters/container-health.ts";
import { connectDocker } from "../../adapters/docker-engine.ts";
import type { ContainerSpec } from "../../workflows/container-spec.ts";
import type { Restic } from "../engine-tools.ts";
import type { GapScene } from "./scene.ts";

export interface PeerTimes {
  /** Stop, create and start on one node, health not counted. */
  readonly engineMs: number;
  readonly resticMs: number;
  readonly tarMs: number;
}

const run = promisify(execFile);
const CHANGED_ROWS = 200;
const TAR_PORT = "7190";
const HEALTH_TIMEOUT_MS = 60_000;
const GRACE_MS = 30_000;

const SPEC: ContainerSpec = {
  ...{ image: "gap-rows", environment: {}, ports: [], labels: {}, constraints: [], volumes: [] },
  stopGracePeriodMs: GRACE_MS,
  healthcheck: {
    test: ["CMD", "/bin/busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/health"],
    ...{ intervalMs: 1_000, timeoutMs: 5_000, retries: 60, startPeriodMs: 0 },
  },
};

/** From x to y and back. The volume is the copy that the last move left behind on x or y. */
export const movePeers = async (
  scene: GapScene,
  restic: Restic,
  signal: AbortSignal,
): Promise<PeerTimes> => {
  const sealed = [0, 1].flatMap((node) =>
    readdirSync(join(scene.volumesOf(node), "data"))
      .filter((name) => name.startsWith("sealed-"))
      .map((name) => ({ node, path: join(scene.volumesOf(node), "data", name, "data") })),
  )[0];
  if (sealed === undefined) throw new Error("no copy is left of the last move");
  const from = sealed.node;
  const to = 1 - from;
  const at = (node: number, name: string) => join(scene.workOf(node), name);
  cpSync(sealed.path, at(from, "peer"), { recursive: true, preserveTimestamps: true });
  await restic.init(signal);
  await restic.backup(at(from, "peer"), signal);
  const changes = `UPDATE rows SET body = randomblob(8000) WHERE id IN (SELECT id FROM rows ORDER BY random() LIMIT ${CHANGED_ROWS})`;
  await run("sqlite3", [join(at(from, "peer"), "rows.db"), changes]);
  try {
    const engineMs = await timed(scene, from, at(from, "peer"), {
      node: from,
      directory: at(from, "peer"),
      carry: async () => undefined,
      isEngineAlone: true,
    });
    const resticMs = await timed(scene, from, at(from, "peer"), {
      node: to,
      directory: at(to, "restic"),
      carry: async () => {
        await restic.backup(at(from, "peer"), signal);
        mkdirSync(at(to, "restic"));
        await restic.restore(at(to, "restic"), signal);
      },
    });
    mkdirSync(at(to, "tar"));
    const tarMs = await timed(scene, from, at(from, "peer"), {
      node: to,
      directory: at(to, "tar"),
      carry: () => sendTar(scene, { from, to, source: at(from, "peer"), target: at(to, "tar") }),
    });
    return { engineMs, resticMs, tarMs };
  } finally {
    for (const path of [at(from, "peer"), at(to, "restic"), at(to, "tar")]) {
      rmSync(path, { recursive: true, force: true });
    }
  }
};

interface Destination {
  readonly node: number;
  readonly directory: string;
  readonly carry: () => Promise<void>;
  readonly isEngineAlone?: boolean;
}

/** Milliseconds from the stop on the one node to the health on the other. */
const timed = async (
  scene: GapScene,
  from: number,
  source: string,
  { node, directory, carry, isEngineAlone = false }: Destination,
): Promise<number> => {
  const signal = AbortSignal.timeout(600_000);
  const old = await start(scene, from, source, "peer-old", signal);
  await old.healthy();
  const began = performance.now();
  await old.docker.stopContainer("peer-old", GRACE_MS, signal);
  await carry();
  const [sent, arrived] = [source, directory].map((path) => statSync(join(path, "rows.db")).size);
  if (sent !== arrived) throw new Error(`${arrived} of ${sent} bytes arrived in ${directory}`);
  const fresh = await start(scene, node, directory, "peer-new", signal);
  const startedMs = performance.now() - began;
  await fresh.healthy();
  const healthyMs = performance.now() - began;
  await old.docker.removeContainer("peer-old", signal);
  await fresh.docker.stopContainer("peer-new", GRACE_MS, signal);
  await fresh.docker.removeContainer("peer-new", signal);
  return isEngineAlone ? startedMs : healthyMs;
};

const start = async (
  scene: GapScene,
  node: number,
  directory: string,
  name: string,
  signal: AbortSignal,
) => {
  const docker = connectDocker({ socketPath: scene.nodes[node]?.dockerSocket ?? "" });
  const { imageId } = await docker.ensureImage({ reference: "gap-rows" }, signal);
  const mounts = [{ source: directory, target: "/var/lib/data", readOnly: false }];
  // One that a run before left behind has another directory.
  await docker.removeContainer(name, signal);
  await docker.createContainer({ name, labels: {}, imageId, spec: SPEC, mounts }, signal);
  await docker.startContainer(name, signal);
  const healthy = async (): Promise<void> => {
    const clock = systemClock;
    const health = await waitHealthy(
      { engine: docker, clock, name, spec: SPEC, timeoutMs: HEALTH_TIMEOUT_MS },
      signal,
    );
    if (!health.healthy) throw new Error(`${name}: ${health.reason}`);
  };
  return { docker, healthy };
};

/** `tar | nc` on the one node, `nc | tar` on the other, over the lab's network. */
const sendTar = async (
  scene: GapScene,
  { from, to, source, target }: { from: number; to: number; source: string; target: string },
): Promise<void> => {
  const shell = (node: number, script: string, argv: readonly string[]) => {
    const [program = "", ...rest] =
      scene.nodes[node]?.nsenter(["sh", "-c", script, "-", ...argv]) ?? [];
    // An input that stays open: at its end the receiving side would hang up at once.
    return spawn(program, rest, { stdio: ["pipe", "ignore", "ignore"] });
  };
  const receiver = shell(to, 'busybox nc -l -p "$1" | tar -x -C "$2"', [TAR_PORT, target]);
  const address = scene.nodes[to]?.address ?? "";
  const received = once(receiver, "close");
  // The listener needs a moment; a tenth of a second is no advantage for us.
  const direct = 'sleep 0.1; tar -c -C "$3" . | busybox nc "$1" "$2"';
  const sender = shell(from, direct, [address, TAR_PORT, source]);
  await Promise.all([once(sender, "close"), received]);
};
