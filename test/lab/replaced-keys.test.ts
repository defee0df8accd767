/** The store's key is replaced while projects deploy: nothing restarts, nothing fails. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { AccessKey } from "../../adapters/s3-accounts.ts";
import { openS3ObjectStore } from "../../adapters/s3-object-store.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { addNote, appFile, openScene, readNotes, type Scene } from "./deploy-scene.ts";
import { requireStore } from "./spaces-scene.ts";
import { createUserKey, removeUserKey } from "./user-keys.ts";

const PORT = 8161;
const PROCESSES = ["serve", "node-x", "node-y"];
const signal = AbortSignal.timeout(600_000);
const token = randomBytes(3).toString("hex");
let lab: Lab;
let scene: Scene;
let files: { readonly accessKey: string; readonly secretKey: string };
let key: AccessKey;

const STORE_USER = "bagage";
const createKey = () => createUserKey(lab, STORE_USER, signal);
const removeKey = (old: AccessKey) => removeUserKey(lab, STORE_USER, old, signal);
const writeKey = ({ accessKeyId, secretAccessKey }: AccessKey): void => {
  writeFileSync(files.accessKey, accessKeyId);
  writeFileSync(files.secretKey, secretAccessKey);
};
const refusalOf = (used: AccessKey): Promise<unknown> => {
  const store = openS3ObjectStore({ ...requireStore(lab), bucket: `inst-keys-${token}`, ...used });
  return store.head("nothing", signal).then(
    () => null,
    (error: { code: string }) => error.code,
  );
};

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const directory = join(lab.directory, `keys-${token}`);
  mkdirSync(directory);
  files = { accessKey: join(directory, "access-key"), secretKey: join(directory, "secret-key") };
  key = await createKey();
  writeKey(key);
  scene = await openScene(lab, {
    name: `keys-${token}`,
    store: "s3",
    queue: "elasticmq",
    storeKeyFiles: files,
  });
});
afterAll(async () => {
  await scene?.close();
  await removeKey(key);
  await lab.stop(signal);
});

test("a store's key is replaced in each phase of a deploy: all deploys end well, nothing restarts", async () => {
  const pids = PROCESSES.map((name) => scene.installation.pid(name));
  const replaced: AccessKey[] = [];
  const replace = async (): Promise<void> => {
    const next = await createKey();
    replaced.push(key);
    // The right order once, and the other: then the store no longer knows the key that all use.
    if (replaced.length === 1) writeKey(next);
    await removeKey(key);
    writeKey(next);
    key = next;
  };
  const deploy = async (tag: string, node: string, phase: string | null): Promise<void> => {
    const file = appFile({ tag, node, port: PORT });
    const { commit } = await scene.repository.push({ Deliverous: file }, `${tag} on ${node}`);
    if (phase !== null) {
      await scene.until(`${phase} of ${commit}`, ({ deploy: running, history }) =>
        running?.phase.name === phase || history.some((ended) => ended.commit === commit)
          ? true
          : undefined,
      );
      await replace();
    }
    expect(await scene.ended(commit)).toMatchObject({ result: "deployed" });
  };
  await deploy("1", "x", null);
  const x = `http://${lab.nodes[0]?.address}:${PORT}`;
  await readNotes(x);
  await addNote(x, "a");
  await deploy("2", "y", "copying");
  await deploy("2", "x", "starting");
  expect(await readNotes(x)).toEqual(["a"]);
  expect(PROCESSES.map((name) => scene.installation.pid(name))).toEqual(pids);
  for (const old of replaced) expect(await refusalOf(old)).toBe("store-denied");
  expect(await refusalOf(key)).toBeNull();
  for (const name of PROCESSES) {
    const log = readFileSync(scene.installation.logFile(name), "utf8");
    for (const { secretAccessKey } of [...replaced, key])
      expect(log).not.toContain(secretAccessKey);
  }
});

test("a hang-up reads the settings again and says so; a mistake in them ends nothing", async () => {
  const logged = (message: string) =>
    waitUntil(
      async () =>
        readFileSync(scene.installation.logFile("serve"), "utf8").includes(message) || undefined,
      { what: message, timeoutMs: 30_000 },
      signal,
    );
  const hangUp = () => process.kill(scene.installation.pid("serve"), "SIGHUP");
  hangUp();
  await logged('"settings.read"');
  renameSync(files.secretKey, `${files.secretKey}.away`);
  hangUp();
  await logged('"settings.wrong"');
  renameSync(`${files.secretKey}.away`, files.secretKey);
  expect((await scene.installation.cli("status", scene.project)).code).toBe(0);
});
