/**
 * Restore points on real parts: taken by a schedule with a command before them and on request, rolled
 * back to, cloned into another project; and a project whose data are sealed.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../adapters/open-store.ts";
import { volumePrefix } from "../../adapters/store-keys.ts";
import { readConfig } from "../../functions/config.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { ProjectId, VolumeName } from "../../workflows/ids.ts";
import { openScene, type Scene } from "./deploy-scene.ts";

const signal = AbortSignal.timeout(600_000);
const DATA = VolumeName.parse("mes_data");
let lab: Lab;
let scene: Scene;
let keyFile: string;

/** Writes what it is told once, then waits; `node` ties it down. */
const file = (script: string, node: string, more = "") => `conteneur:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; ${script}; while :; do sleep 0.1 & wait $$!; done"]
    deploy:
      placement:
        constraints:
        - node.id == ${node}
    volumes:
    - name: mes_data
      path: /data
${more}`;
const HOOK = `      snapshot: every 1s
      keep: { last: 50 }
      before_snapshot: ["sh", "-c", "date +%s > /data/flushed; test ! -e /data/broken"]
      before_copy: ["sh", "-c", "echo copied > /data/copied; echo too bad; exit 3"]
`;

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const name = `points-${randomBytes(3).toString("hex")}`;
  keyFile = join(mkdtempSync(join(tmpdir(), "bagage-key-")), "key");
  writeFileSync(keyFile, randomBytes(32).toString("base64"));
  const environment = { BAGAGE_KEY_FILE: keyFile };
  scene = await openScene(lab, { name, store: "s3", queue: "elasticmq", hook: false, environment });
});
afterAll(async () => {
  await scene?.close();
  await lab.stop(signal);
});

const cli = async (...argv: string[]): Promise<string> => {
  const { code, stdout, stderr } = await scene.installation.cli(...argv);
  if (code !== 0) throw new Error(`bagage ${argv.join(" ")}: ${code}\n${stdout}${stderr}`);
  return stdout;
};
const deploy = async (text: string): Promise<void> => {
  const { commit } = await scene.repository.push({ Deliverous: text }, text.slice(0, 20));
  await cli("deploy", scene.project, "--commit", commit);
};
const liveData = async (node: string): Promise<string> => {
  const { volumes } = await scene.state();
  const directory = lab.nodes.find(({ name }) => name === node)?.directory ?? "";
  const epoch = volumes[DATA]?.epoch;
  return join(directory, scene.project, "volumes", scene.project, DATA, `live-e${epoch}`, "data");
};

test("a schedule takes restore points by itself, with its command run before each", async () => {
  await deploy(file("echo one > /data/version", "x", HOOK));
  const { kind, id } = await scene.until("three restore points", ({ volumes }) => {
    const snapshots = volumes[DATA]?.snapshots ?? [];
    return snapshots.length >= 3 ? snapshots.at(-1) : undefined;
  });
  expect(kind).toBe("live");
  const flushed = await cli("cat", scene.project, `${DATA}@${id}`, "flushed");
  expect(flushed).toMatch(/^\d{10}\n$/);
  await cli("verify", scene.project, `${DATA}@${id}`, "--read-data");
});

test("a failing command fails the snapshot, which says why, and the next one is taken again", async () => {
  const broken = join(await liveData("x"), "broken");
  writeFileSync(broken, "");
  const failed = await scene.until("a failed try", ({ volumes }) =>
    volumes[DATA]?.tries.findLast(({ failure }) => failure !== null),
  );
  expect(failed.failure).toMatchObject({
    code: "before-snapshot-failed",
    message: expect.stringContaining("exit code 1 in container conteneur"),
  });
  const now = await scene.installation.cli("snapshot", "now", scene.project, DATA, "--wait");
  expect(now).toMatchObject({ code: 1, stdout: expect.stringContaining("before_snapshot") });
  rmSync(broken);
  const answers = JSON.parse(await cli("snapshot", "now", scene.project, "--wait", "--json"));
  expect(answers).toMatchObject([{ volume: DATA, failure: null }]);
});

test("a deploy moves the volume while the schedule goes on, and the new node takes it over", async () => {
  await deploy(file("echo two > /data/version", "y", HOOK));
  const head = await scene.until("a restore point of y", ({ volumes }) => {
    const volume = volumes[DATA];
    return volume?.owner === "y" && volume.head?.kind === "live" ? volume.head : undefined;
  });
  expect(await cli("cat", scene.project, `${DATA}@${head.id}`, "version")).toBe("two\n");
  expect(await cli("cat", scene.project, `${DATA}@${head.id}`, "copied")).toBe("copied\n");
  expect(await cli("status", scene.project)).toMatch(
    /round 1: .*\n\s+before_copy: exit code 3 in container conteneur: too bad\n/,
  );
  const verified = JSON.parse(await cli("verify", scene.project, DATA, "--read-data", "--json"));
  expect(verified).toMatchObject({ isWhole: true });
});

test("a rollback says what it would leave behind, then brings back code and data", async () => {
  const refused = await scene.installation.cli("rollback", scene.project);
  expect(refused).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/left behind: 2 files of [\s\S]*--accept-loss/),
  });
  await cli("rollback", scene.project, "--accept-loss");
  const { containers, volumes } = await scene.state();
  expect(Object.values(containers)[0]?.node).toBe("x");
  expect(volumes[DATA]?.owner).toBe("x");
  expect(readFileSync(join(await liveData("x"), "version"), "utf8")).toBe("one\n");
});

test("a clone in another project copies nothing, runs, and outlives its source's restore point", async () => {
  const other = `${scene.project}-b`;
  const text = file("cp /data/version /data/seen", "y");
  const { commit } = await scene.repository.push({ Deliverous: text }, "Clone");
  await cli("project", "add", other, "--repository", scene.repository.url);
  await cli("clone", `${scene.project}/${DATA}`, `${other}/${DATA}`);
  await cli("deploy", other, "--commit", commit);
  await cli("snapshot", "now", other, "--wait");
  expect(await cli("cat", other, DATA, "seen")).toBe("one\n");
  const store = await openStore(readConfig(scene.installation.environment).store);
  let bytes = 0;
  for await (const object of store.list(volumePrefix(ProjectId.parse(other), DATA), signal)) {
    bytes += object.bytes;
  }
  expect(bytes).toBeLessThan(8_192);
  await cli("gc", scene.project);
  await cli("gc", other);
  await cli("verify", other, DATA, "--read-data");
});

test("sealing that is turned off: what is stored from then on is plain, and older restore points stay readable", async () => {
  const text = "a-text-that-may-be-seen-later";
  const project = `${scene.project}-o`;
  const run = async (node: string) => {
    const { commit } = await scene.repository.push(
      { Deliverous: file(`echo ${text} >> /data/notes`, node) },
      "Off",
    );
    await cli("deploy", project, "--commit", commit);
  };
  const plainObjects = async () => {
    const store = await openStore(readConfig(scene.installation.environment).store);
    let plain = 0;
    for await (const { key } of store.list(volumePrefix(ProjectId.parse(project), DATA), signal)) {
      if (Buffer.from((await store.get(key, signal)) ?? []).includes(text)) plain += 1;
    }
    return plain;
  };
  await cli("project", "add", project, "--repository", scene.repository.url);
  await cli("key", "init", project);
  await run("x");
  const points = JSON.parse(await cli("snapshot", "now", project, "--wait", "--json"));
  const older = points[0].snapshotId;
  expect(await plainObjects()).toBe(0);
  await cli("key", "off", project);
  await run("y");
  expect(await plainObjects()).toBeGreaterThan(0);
  expect(await cli("cat", project, DATA, "notes")).toBe(`${text}\n`);
  expect(await cli("cat", project, `${DATA}@${older}`, "notes")).toBe(`${text}\n`);
  await cli("verify", project, DATA, "--read-data");
});

test("what a sealed project stores can be read with its key alone, before and after a rotation", async () => {
  const secret = "a-secret-that-stands-in-no-object";
  const sealed = `${scene.project}-s`;
  const [old, next] = [readFileSync(keyFile, "utf8"), (await cli("key", "generate")).trim()];
  const run = async (node: string) => {
    const text = file(`echo ${secret} >> /data/${secret}`, node);
    const { commit } = await scene.repository.push({ Deliverous: text }, "Sealed");
    await cli("deploy", sealed, "--commit", commit);
  };
  await cli("project", "add", sealed, "--repository", scene.repository.url);
  await cli("key", "init", sealed);
  await run("x");
  await run("y");
  await cli("key", "rotate", sealed, "--data");
  await cli("snapshot", "now", sealed, "--wait");
  expect(await cli("cat", sealed, DATA, secret)).toBe(`${secret}\n${secret}\n`);
  const store = await openStore(readConfig(scene.installation.environment).store);
  let objects = 0;
  for await (const { key } of store.list(volumePrefix(ProjectId.parse(sealed), DATA), signal)) {
    const body = Buffer.from((await store.get(key, signal)) ?? []);
    expect(body.includes(secret) || key.includes(secret)).toBe(false);
    objects += 1;
  }
  expect(objects).toBeGreaterThan(5);

  writeFileSync(keyFile, next);
  expect(await scene.installation.cli("cat", sealed, DATA, secret)).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("BAGAGE_KEY"),
  });
  // The new wrapping key first, the old one still at hand; then the new one alone.
  writeFileSync(keyFile, `${next},${old}`);
  await cli("key", "rotate", sealed);
  writeFileSync(keyFile, next);
  expect(await cli("cat", sealed, DATA, secret)).toBe(`${secret}\n${secret}\n`);
  for (const name of ["node-x", "node-y", "serve"]) {
    const log = readFileSync(scene.installation.logFile(name), "utf8");
    for (const key of [old, next]) expect(log.includes(key)).toBe(false);
  }
});
