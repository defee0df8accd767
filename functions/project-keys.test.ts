/** Wrapping keys that are replaced in their file under a running process. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { ProjectId } from "../workflows/ids.ts";
import {
  KEY_BYTES,
  newDataKey,
  openProjectKeys,
  openWrappingKeys,
  parseWrappingKeys,
  type WrappingKeys,
  wrapKey,
} from "./project-keys.ts";

/** So often at most a file is read again. */
const REFRESH_MS = 110;
const project = ProjectId.parse("shop");
const directory = mkdtempSync(join(tmpdir(), "bagage-wrapping-"));
const file = join(directory, "key");
afterAll(() => rmSync(directory, { recursive: true }));

const newKey = () => randomBytes(KEY_BYTES).toString("hex");
const parse = (text: string): WrappingKeys => parseWrappingKeys(text) ?? [];
/** A project whose data key is wrapped under the key. */
const sealedUnder = (text: string) => {
  const key = wrapKey(parse(text), project, newDataKey());
  return { project, encryption: { current: key.id, keys: [key] } };
};

test("a key that is put into the file is found as soon as a project needs it", async () => {
  const [first, next] = [newKey(), newKey()];
  writeFileSync(file, first);
  const told: string[] = [];
  const live = openWrappingKeys({ wrappingKeys: parse(first), wrappingKeyFile: file }, (keys) =>
    told.push(keys.map(({ id }) => id).join(",")),
  );
  const old = sealedUnder(first);
  expect((await openProjectKeys(live, old)).current).toBe(old.encryption.current);
  const state = sealedUnder(next);
  await expect(openProjectKeys(live, state)).rejects.toMatchObject({ code: "key-missing" });
  writeFileSync(file, `${next},${first}\n`);
  await sleep(REFRESH_MS);
  expect((await openProjectKeys(live, state)).current).toBe(state.encryption.current);
  expect((await openProjectKeys(live, old)).current).toBe(old.encryption.current);
  expect(told.at(-1)).toBe(
    parse(`${next},${first}`)
      .map(({ id }) => id)
      .join(","),
  );
});

test("a file that is spoiled takes no key away", async () => {
  const first = newKey();
  writeFileSync(file, "not a key");
  const live = openWrappingKeys({ wrappingKeys: parse(first), wrappingKeyFile: file });
  await sleep(REFRESH_MS);
  await live.refresh();
  expect(await live.current()).toEqual(parse(first));
});

test("keys that are in no file stay as they are", async () => {
  const keys = parse(newKey());
  const live = openWrappingKeys({ wrappingKeys: keys, wrappingKeyFile: null });
  await live.refresh();
  expect(await live.current()).toBe(keys);
});
