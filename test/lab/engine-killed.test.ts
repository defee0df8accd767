/**
 * An engine is killed while it starts a container, before and after there is a process of it: what it
 * leaves it can't start ever again, nor end. The deploy ends well all the same, and nothing stays behind.
 */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectDocker } from "../../adapters/docker-engine.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { awaitDaemon, killDaemon, restartDaemon } from "../../infra/lab/daemons.ts";
import { containerPids } from "../../infra/lab/docker-engine.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { labHost } from "../../infra/lab/network.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { addNote, appFile, openScene, readNotes, type Scene } from "./deploy-scene.ts";

const PORT = 8163;
const READY_TIMEOUT_MS = 60_000;
/** The first start after a kill may fail on what was left. */
const RESTARTS_MAX = 10;
const RESTART_EVERY_MS = 1_000;
const LEFT = /task [0-9a-f]{64}: already exists|id already in use/;
const signal = AbortSignal.timeout(280_000);
let lab: Lab;
let scene: Scene;

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const name = `engine-${randomBytes(3).toString("hex")}`;
  scene = await openScene(lab, { name, store: "s3", queue: "elasticmq", sweepS: 2 });
});
afterAll(async () => {
  await scene?.close();
  await lab?.stop(signal);
});

type NodeName = "x" | "y";
const nodeOf = (name: NodeName) => {
  const node = lab.nodes.find((one) => one.name === name);
  if (node === undefined) throw new Error(`the lab has no node ${name}`);
  return node;
};
/** What runs in the node's containers. */
const commandsOf = (name: NodeName): string[] =>
  containerPids(labHost(lab.id, name)).flatMap((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    } catch {
      // It is gone.
      return [];
    }
  });

/** Shims of the node's containers, which its engine starts first. */
const shimsOf = (name: NodeName): string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return line.includes("containerd-shim") && line.includes(`/${lab.id}/${name}/`);
    } catch {
      return false;
    }
  });

/** Made, and held back by a pipe that nobody has opened yet for writing. */
const waitsForWord = (name: NodeName): boolean =>
  containerPids(labHost(lab.id, name)).some((pid) => {
    try {
      const threads = readdirSync(`/proc/${pid}/task`);
      const waits = threads.map((thread) =>
        readFileSync(`/proc/${pid}/task/${thread}/wchan`, "utf8"),
      );
      return waits.some((where) => /fifo|wait_for_partner/.test(where));
    } catch {
      return false;
    }
  });

const restart = async (name: NodeName): Promise<void> => {
  const node = nodeOf(name);
  const daemon = { name: `docker-${name}`, labDirectory: lab.directory };
  const spec = killDaemon(daemon, node.namespace);
  const docker = connectDocker({ socketPath: node.dockerSocket });
  const ready = { timeoutMs: READY_TIMEOUT_MS, signal };
  for (let restarts = 1; ; restarts += 1) {
    await restartDaemon(spec, signal);
    try {
      await awaitDaemon(spec, () => docker.ping(signal).then(() => true), ready);
      return;
    } catch (error) {
      if (restarts === RESTARTS_MAX) throw error;
      await sleep(RESTART_EVERY_MS);
    }
  }
};

const look = { timeoutMs: 60_000, intervalMs: 1 };
const moments: Readonly<Record<string, (name: NodeName) => Promise<void>>> = {
  "before there is a process of it": async (name) => {
    const before = shimsOf(name).length;
    const seen = async () => shimsOf(name).length > before || undefined;
    await waitUntil(seen, { what: "a shim", ...look }, signal);
  },
  "when its first process waits for the word": async (name) => {
    const seen = async () => waitsForWord(name) || undefined;
    await waitUntil(seen, { what: "a process", ...look }, signal);
  },
};

test.each(Object.keys(moments))("16, 23: an engine is killed in a start, %s", async (moment) => {
  const target = (await ownerOf()) === "x" ? "y" : "x";
  const file = appFile({ tag: "2", node: target, port: PORT });
  const waiting = moments[moment]?.(target);
  const { commit } = await scene.repository.push({ Deliverous: file }, moment);
  await waiting;
  await restart(target);
  const { result, reason } = await scene.ended(commit);
  expect([result, reason]).toEqual(["deployed", null]);
  const url = `http://${nodeOf(target).address}:${PORT}`;
  const notes = await readNotes(url);
  await addNote(url, moment);
  expect(await readNotes(url)).toEqual([...notes, moment]);
  // That it was hit.
  const log = readFileSync(scene.installation.logFile(`node-${target}`), "utf8");
  expect(log).toMatch(LEFT);
  await sleep(100);
  expect(commandsOf(target).filter((command) => command.startsWith("runc"))).toEqual([]);
});

const ownerOf = async (): Promise<string | null> =>
  Object.values((await scene.state()).volumes)[0]?.owner ?? null;
