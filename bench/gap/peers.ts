/** The same move as anybody could make it: stop, carry all of the volume over, start. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "../../adapters/clock.ts";
import { waitHealthy } from "../../adapters/container-health.ts";
import { connectDocker } from "../../adapters/docker-engine.ts";
import type { ContainerSpec } from "../../workflows/container-spec.ts";
import type { Restic } from "../engine-tools.ts";
import type { Application } from "./application.ts";
import type { GapScene } from "./scene.ts";
import { settleDisk } from "./settle-disk.ts";

export interface PeerTimes {
  /** Stop, create and start on one node, health not counted. */
  readonly engineMs: number;
  readonly resticMs: number;
  readonly tarMs: number;
}

const run = promisify(execFile);
const TAR_PORT = "7190";
const HEALTH_TIMEOUT_MS = 60_000;
const GRACE_MS = 30_000;

const specOf = ({ spec }: Application): ContainerSpec => ({
  ...{ environment: {}, ports: [], labels: {}, constraints: [], volumes: [] },
  stopGracePeriodMs: GRACE_MS,
  ...spec,
});

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
  await run("cp", ["-a", "--reflink=auto", sealed.path, at(from, "peer")]);
  await restic.init(signal);
  await restic.backup(at(from, "peer"), signal);
  await changeRows(scene, from, at(from, "peer"), signal);
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

const changeRows = async (
  scene: GapScene,
  node: number,
  directory: string,
  signal: AbortSignal,
): Promise<void> => {
  const { docker, healthy } = await start(scene, node, directory, "peer-change", signal);
  await healthy();
  const command = scene.application.change;
  const { exitCode, output } = await docker.exec(
    { name: "peer-change", command, timeoutMs: HEALTH_TIMEOUT_MS },
    signal,
  );
  if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}: ${output}`);
  await docker.stopContainer("peer-change", GRACE_MS, signal);
  await docker.removeContainer("peer-change", signal);
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
  await settleDisk(signal);
  const began = performance.now();
  await old.docker.stopContainer("peer-old", GRACE_MS, signal);
  await carry();
  const [sent, arrived] = [await countBytes(source), await countBytes(directory)];
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

/** Of all files: what du counts as their directories' own differs between copies. */
const countBytes = async (directory: string): Promise<number> => {
  const { stdout } = await run("find", [directory, "-type", "f", "-printf", "%s\\n"]);
  return stdout.split("\n").reduce((sum, line) => sum + Number(line), 0);
};

const start = async (
  scene: GapScene,
  node: number,
  directory: string,
  name: string,
  signal: AbortSignal,
) => {
  const spec = specOf(scene.application);
  const docker = connectDocker({ socketPath: scene.nodes[node]?.dockerSocket ?? "" });
  const { imageId } = await docker.ensureImage({ reference: spec.image }, signal);
  const mounts = [{ source: directory, target: "/var/lib/data", readOnly: false }];
  // One that a run before left behind has another directory.
  await docker.removeContainer(name, signal);
  await docker.createContainer({ name, labels: {}, imageId, spec, mounts }, signal);
  await docker.startContainer(name, signal);
  const healthy = async (): Promise<void> => {
    const clock = systemClock;
    const health = await waitHealthy(
      { engine: docker, clock, name, spec, timeoutMs: HEALTH_TIMEOUT_MS },
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
    return spawn(program, rest, { stdio: "ignore" });
  };
  const receiver = shell(to, 'nc.openbsd -d -l "$1" | tar -x -C "$2"', [TAR_PORT, target]);
  const address = scene.nodes[to]?.address ?? "";
  const received = once(receiver, "close");
  // The listener needs a moment; a tenth of a second is no advantage for us.
  const direct = 'sleep 0.1; tar -c -C "$3" . | nc.openbsd -N "$1" "$2"';
  const sender = shell(from, direct, [address, TAR_PORT, source]);
  await Promise.all([once(sender, "close"), received]);
};
