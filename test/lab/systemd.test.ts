/** The units that operators copy, as systemd reads them. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tryCommand } from "../../infra/lab/command.ts";
import { ensureDebianPackages, SYSTEMD_PACKAGES } from "../../infra/lab/debian-packages.ts";

const UNITS = fileURLToPath(new URL("../../infra/systemd", import.meta.url));
const signal = AbortSignal.timeout(300_000);
const directory = mkdtempSync(join(tmpdir(), "bagage-units-"));
const units = readdirSync(UNITS).filter((name) => name.endsWith(".service"));
const verify = () =>
  tryCommand(
    ["systemd-analyze", "verify", ...units.map((name) => join(directory, name))],
    {},
    signal,
  );

beforeAll(async () => {
  await ensureDebianPackages(SYSTEMD_PACKAGES, signal);
  cpSync(UNITS, directory, { recursive: true });
  // Where this machine has them.
  for (const name of units) {
    const text = readFileSync(join(directory, name), "utf8");
    writeFileSync(join(directory, name), text.replaceAll("/usr/bin/node", process.execPath));
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("systemd understands every unit", async () => {
  expect(units).toHaveLength(4);
  expect(await verify()).toEqual({ exitCode: 0, stdout: "", stderr: "" });
});

test("systemd-analyze finds a planted mistake", async () => {
  const file = join(directory, "bagage-node.service");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace("KillMode=process", "KillMode=never"));
  expect((await verify()).stderr).toContain("ignoring: never");
  writeFileSync(file, text);
});

test("the user of the units is made by systemd-sysusers", async () => {
  const root = join(directory, "root");
  mkdirSync(join(root, "etc"), { recursive: true });
  const file = join(directory, "bagage.sysusers");
  const made = await tryCommand(["systemd-sysusers", `--root=${root}`, file], {}, signal);
  expect(made).toMatchObject({ exitCode: 0 });
  expect(readFileSync(join(root, "etc/passwd"), "utf8")).toMatch(/^bagage:/m);
  expect(readFileSync(join(root, "etc/group"), "utf8")).toMatch(/^bagage:/m);
});
