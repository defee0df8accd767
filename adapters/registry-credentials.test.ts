import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRegistryCredentials } from "./registry-credentials.ts";

let directory = "";
let path = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "registry-credentials-"));
  path = join(directory, "config.json");
});
afterEach(() => rm(directory, { recursive: true }));

const base64 = (text: string) => Buffer.from(text).toString("base64");

test("a login is found by its registry; passwords may hold colons", async () => {
  const auths = {
    "registry.example:5000": { auth: base64("bot:pa:ss\n") },
    "https://index.docker.io/v1/": { auth: base64("hub:pass") },
    "helped.example": {},
  };
  await writeFile(path, JSON.stringify({ auths, credsStore: "x" }));
  const read = (registry: string) => readRegistryCredentials(path, registry);
  expect(await read("registry.example:5000")).toEqual({
    username: "bot",
    password: "pa:ss\n",
    serveraddress: "registry.example:5000",
  });
  expect(await read("docker.io")).toMatchObject({ username: "hub" });
  expect(await read("helped.example")).toBeNull();
  expect(await read("registry.example")).toBeNull();
  expect(await readRegistryCredentials(join(directory, "none"), "docker.io")).toBeNull();
});

test("53: a damaged file is named, not quoted", async () => {
  await writeFile(path, `{"auths": {"r": {"auth": "${base64("bot:hunter22")}"`);
  const error = await readRegistryCredentials(path, "r").catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: "registry-credentials-malformed" });
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(
    base64("bot:hunter22"),
  );
  expect((error as Error).cause).toBeUndefined();
});
