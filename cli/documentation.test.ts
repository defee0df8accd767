/** docs/cli.md is what scripts rely on: no command may be missing from it, nor an exit code. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { EXIT } from "./exit-codes.ts";

const documentation = readFileSync(new URL("../docs/cli.md", import.meta.url), "utf8");

const readCommands = async (): Promise<string[]> => {
  const directory = new URL("./commands/", import.meta.url);
  const files = readdirSync(directory).filter((name) => /^[a-z-]+\.ts$/.test(name));
  const modules = await Promise.all(files.map((name) => import(new URL(name, directory).href)));
  return modules.flatMap((module) =>
    Object.values<{ command?: unknown }>(module).flatMap(({ command }) =>
      typeof command === "string" ? [command] : [],
    ),
  );
};

test("every command is documented as it is called", async () => {
  const commands = await readCommands();
  expect(commands).toContain("plan <project>");
  expect(commands.filter((command) => !documentation.includes(`bagage ${command}`))).toEqual([]);
});

test("every exit code is documented", () => {
  const rows = Object.values(EXIT).filter((code) => !documentation.includes(`\n| ${code} | `));
  expect(rows).toEqual([]);
});
