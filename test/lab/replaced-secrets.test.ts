/** The wrapping key, the publisher's and the administrator's are replaced: nothing restarts or fails. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AccessKey } from "../../adapters/s3-accounts.ts";
import { KEY_BYTES } from "../../functions/project-keys.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { VolumeName } from "../../workflows/ids.ts";
import { addNote, appFile, openScene, readNotes, type Scene } from "./deploy-scene.ts";
import { connectUser, spacesEnvironment } from "./spaces-scene.ts";
import { createUserKey, removeUserKey } from "./user-keys.ts";

const PORT = 8162;
const PROCESSES = ["serve", "node-x", "node-y"];
const PUBLISHER = "bagage-publisher";
const ADMIN = "admin";
const DATA = VolumeName.parse("mes_data");
const signal = AbortSignal.timeout(600_000);
const name = `secrets-${randomBytes(3).toString("hex")}`;
let lab: Lab;
let scene: Scene;
let directory: string;
const used = new Map<string, AccessKey>();

const newWrappingKey = () => randomBytes(KEY_BYTES).toString("base64");
const pathOf = (secret: string) => join(directory, secret);
/** Another key for the user, in the files that the processes were told of; the old one ends. */
const replaceKey = async (user: string): Promise<void> => {
  const old = used.get(user);
  const key = await createUserKey(lab, user, signal);
  writeFileSync(pathOf(`${user}-access`), key.accessKeyId);
  writeFileSync(pathOf(`${user}-secret`), key.secretAccessKey);
  used.set(user, key);
  if (old !== undefined) await removeUserKey(lab, user, old, signal);
};
const cli = async (...argv: string[]): Promise<string> => {
  const { code, stdout, stderr } = await scene.installation.cli(...argv);
  if (code !== 0) throw new Error(`bagage ${argv.join(" ")}: ${code}\n${stdout}${stderr}`);
  return stdout;
};
const deploy = async (tag: string, node: string): Promise<void> => {
  const Deliverous = `${appFile({ tag, node, port: PORT })}      publish: s3\n`;
  const { commit } = await scene.repository.push({ Deliverous }, `${tag} on ${node}`);
  expect(await scene.ended(commit)).toMatchObject({ result: "deployed" });
};
/** Waits until the owner's last snapshot stands in the bucket. */
const published = () =>
  scene.until("the published snapshot", ({ volumes }) => {
    const { head, publication } = volumes[DATA] ?? {};
    return head !== null && head !== undefined && publication?.snapshotId === head.id
      ? head
      : undefined;
  });

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  directory = join(lab.directory, name);
  mkdirSync(directory);
  writeFileSync(pathOf("key"), newWrappingKey());
  const spaces = await spacesEnvironment(lab, signal);
  const { BAGAGE_S3_ENDPOINT = "", BAGAGE_SPACES_PREFIX = "" } = spaces;
  for (const user of [PUBLISHER, ADMIN]) await replaceKey(user);
  const environment = {
    BAGAGE_S3_ENDPOINT,
    BAGAGE_SPACES_PREFIX,
    BAGAGE_KEY_FILE: pathOf("key"),
    BAGAGE_PUBLISHER_ACCESS_KEY_FILE: pathOf(`${PUBLISHER}-access`),
    BAGAGE_PUBLISHER_SECRET_KEY_FILE: pathOf(`${PUBLISHER}-secret`),
    BAGAGE_S3_ADMIN_ACCESS_KEY_FILE: pathOf(`${ADMIN}-access`),
    BAGAGE_S3_ADMIN_SECRET_KEY_FILE: pathOf(`${ADMIN}-secret`),
  };
  scene = await openScene(lab, { name, store: "s3", queue: "elasticmq", sweepS: 1, environment });
});
afterAll(async () => {
  await scene?.close();
  for (const [user, key] of used) await removeUserKey(lab, user, key, signal);
  await lab?.stop(signal);
});

test("a sealed, published volume moves on under new keys of all three kinds", async () => {
  const pids = PROCESSES.map((one) => scene.installation.pid(one));
  const access = JSON.parse(await cli("s3", "enable", name, "--json"));
  await cli("key", "init", name);
  await deploy("1", "x");
  const x = `http://${lab.nodes[0]?.address}:${PORT}`;
  const y = `http://${lab.nodes[1]?.address}:${PORT}`;
  await readNotes(x);
  await addNote(x, "a");
  await cli("snapshot", "now", name, "--wait");
  await published();

  const [first, next] = [readFileSync(pathOf("key"), "utf8"), newWrappingKey()];
  writeFileSync(pathOf("key"), `${next},${first}`);
  await cli("key", "rotate", name);
  writeFileSync(pathOf("key"), next);
  for (const user of [PUBLISHER, ADMIN]) await replaceKey(user);
  await deploy("2", "y");
  expect(await readNotes(y)).toEqual(["a"]);
  const head = await published();
  expect(JSON.parse(await cli("verify", name, `${DATA}@${head.id}`, "--json"))).toMatchObject({
    isWhole: true,
  });
  const marker = { Bucket: access.bucket, Key: `.bagage/${DATA}/snapshot.json` };
  const { Body } = await connectUser(access, access).send(new GetObjectCommand(marker));
  expect(JSON.parse((await Body?.transformToString()) ?? "")).toMatchObject({ snapshot: head.id });

  // The sweep ends a replaced key of the project's, by the administrator's new one.
  await cli("s3", "rotate", name, "--overlap", "1s");
  const clientKeys = async (): Promise<number> => {
    const keys: { purpose: string }[] = JSON.parse(await cli("s3", "keys", name, "--json"));
    return keys.filter(({ purpose }) => purpose === "client").length;
  };
  await expect.poll(clientKeys, { timeout: 60_000 }).toBe(1);
  expect(PROCESSES.map((one) => scene.installation.pid(one))).toEqual(pids);
  for (const process of PROCESSES) {
    const log = readFileSync(scene.installation.logFile(process), "utf8");
    for (const { secretAccessKey } of used.values()) expect(log).not.toContain(secretAccessKey);
    expect(log).not.toContain(next);
  }
});
