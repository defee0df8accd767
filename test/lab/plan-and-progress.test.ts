/** What a user sees before and during a move of some size: a measured plan, and how far it is. */
import { randomBytes } from "node:crypto";
import { appendFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { addNote, appFile, openScene, readNotes, type Scene } from "./deploy-scene.ts";

const PORT = 8110;
const MIB = 2 ** 20;
const VOLUME_BYTES = 300 * MIB;
const FILE_BYTES = 10 * MIB;
/** A little more than the time between two tellings of a step. */
const TELLING_AFTER_MS = 1_200;
const signal = AbortSignal.timeout(900_000);
let lab: Lab;
let scene: Scene;

const at = (node: number) => `http://${lab.nodes[node]?.address}:${PORT}`;
/** Pushes without a hook, so that nothing is deployed by it. */
const push = async (tag: string, node: string): Promise<string> => {
  const file = appFile({ tag, node, port: PORT });
  return (await scene.repository.push({ Deliverous: file }, `${tag} on ${node}`)).commit;
};
/** The directory that the container has mounted, as its node sees it. */
const liveData = (node: number): string => {
  const root = join(lab.nodes[node]?.directory ?? "", scene.project, "volumes", scene.project);
  const volume = join(root, "mes_data");
  const live = readdirSync(volume).find((name) => name.startsWith("live-"));
  return join(volume, live ?? "live", "data");
};
/** Objects of the directory store are files whose names end so. */
const OBJECT_SUFFIX = "=";
const storeFiles = (name: string): string[] => {
  const directory = join(scene.installation.directory, "store");
  return (readdirSync(directory, { recursive: true }) as string[]).filter(
    (path) => path.includes(`projects/${scene.project}/${name}/`) && path.endsWith(OBJECT_SUFFIX),
  );
};
const appears = (what: string, isThere: () => boolean): Promise<true> =>
  waitUntil(
    async () => (isThere() ? true : undefined),
    { what, timeoutMs: 60_000, intervalMs: 5 },
    signal,
  );

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const name = `plan-${randomBytes(3).toString("hex")}`;
  scene = await openScene(lab, { name, store: "directory", queue: "embedded", hook: false });
  await push("1", "x");
  const deployed = await scene.installation.cli("deploy", scene.project);
  expect(deployed).toMatchObject({ code: 0, stdout: expect.stringContaining("deployed") });
  await addNote(at(0), "a");
});
afterAll(async () => {
  await scene?.close();
  await lab.stop(signal);
});

test("progress of a move is told while it runs, and gone after it", async () => {
  for (let i = 0; i < VOLUME_BYTES / FILE_BYTES; i += 1) {
    writeFileSync(join(liveData(0), `upload-${i}`), randomBytes(FILE_BYTES));
  }
  await push("2", "y");
  const deploying = scene.installation.cli("deploy", scene.project, "--json");
  const source = scene.installation.pid("node-x");
  // A fast machine copies in less than the time after which a step tells: it is made to take longer.
  await appears("a pack of the copy", () => storeFiles("volumes/mes_data").length > 1);
  process.kill(source, "SIGSTOP");
  await delay(TELLING_AFTER_MS);
  process.kill(source, "SIGCONT");
  await appears("progress of a step", () => storeFiles("progress").length > 0);
  process.kill(source, "SIGSTOP");
  const { stdout } = await scene.installation.cli("status", scene.project, "--json");
  process.kill(source, "SIGCONT");
  const { progress: told } = JSON.parse(stdout) as { progress: { doneBytes: number }[] };
  expect(told[0]).toMatchObject({ volume: "mes_data" });
  expect(told[0]?.doneBytes).toBeGreaterThan(0);
  expect(JSON.parse((await deploying).stdout)).toMatchObject({
    result: "deployed",
    volumes: { mes_data: { to: "y" } },
  });
  expect(await readNotes(at(1))).toEqual(["a"]);
  await appears("the end of the progress objects", () => storeFiles("progress").length === 0);
});

test("a plan measures what is dirty since the last snapshot, and deploys nothing", async () => {
  const before = await scene.state();
  appendFileSync(join(liveData(1), "upload-0"), randomBytes(MIB));
  const commit = await push("1", "x");
  const plan = await scene.installation.cli("plan", scene.project, "--commit", commit, "--json");
  expect(JSON.parse(plan.stdout)).toMatchObject({
    ...{ kind: "planned", commit, silentNodes: [], pauseMs: expect.any(Number) },
    volumes: [{ volume: "mes_data", from: "y", to: "x", basis: "measured", fits: true }],
  });
  const [volume] = JSON.parse(plan.stdout).volumes;
  expect(volume.bytes).toBeGreaterThan(VOLUME_BYTES + MIB);
  expect(volume.dirtyBytes).toBeGreaterThanOrEqual(FILE_BYTES + MIB);
  expect(volume.dirtyBytes).toBeLessThan(2 * FILE_BYTES);
  expect(volume.sinceSnapshot).toBe(Object.values(before.volumes)[0]?.head?.id);
  const words = await scene.installation.cli("plan", scene.project, "--commit", commit);
  expect(words).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/MiB dirty, y → x, pause about \d+ s/),
  });
  expect(storeFiles("measures")).toEqual([]);
  expect(await scene.state()).toEqual(before);
});

test("a node that is away does not answer, and the plan says so", async () => {
  await scene.installation.stop("node-y");
  const plan = await scene.installation.cli("plan", scene.project);
  expect(plan.stdout).toContain("node y did not answer");
});
