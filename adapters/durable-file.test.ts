import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as z from "zod";
import { TerminalError } from "../volume/errors.ts";
import { readJsonFile, writeFileDurably } from "./durable-file.ts";

let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "durable-file-"));
});
afterEach(() => rm(directory, { recursive: true }));

test("a file is replaced as a whole and leaves no draft behind", async () => {
  const path = join(directory, "new", "fence.json");
  await writeFileDurably(path, "first");
  await writeFileDurably(path, Buffer.from("second"));
  expect(await readFile(path, "utf8")).toBe("second");
  expect(await readdir(join(directory, "new"))).toEqual(["fence.json"]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("writers of one file never mix their bytes", async () => {
  const path = join(directory, "raced");
  const bodies = Array.from({ length: 8 }, (_, i) => String(i).repeat(100_000));
  await Promise.all(bodies.map((body) => writeFileDurably(path, body)));
  expect(bodies).toContain(await readFile(path, "utf8"));
});

test("a missing file is null, a damaged one is refused by name", async () => {
  const path = join(directory, "state.json");
  const schema = z.strictObject({ epoch: z.int() });
  expect(await readJsonFile(path, schema)).toBeNull();
  await writeFile(path, '{"epoch":7}');
  expect(await readJsonFile(path, schema)).toEqual({ epoch: 7 });
  for (const damage of ['{"epoch":7', '{"epoch":"7"}', ""]) {
    await writeFile(path, damage);
    const refused = readJsonFile(path, schema);
    await expect(refused).rejects.toBeInstanceOf(TerminalError);
    await expect(refused).rejects.toThrow(path);
  }
});
