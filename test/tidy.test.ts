/** The tree is the architecture: which folder may import which is a table, and the table is tested. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

/** Folder → folders it may import. Arrows point down; nothing imports functions, agent or cli. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  workflows: [],
  volume: [],
  adapters: ["workflows", "volume"],
  functions: ["workflows", "volume", "adapters"],
  agent: ["workflows", "volume", "adapters", "functions"],
  cli: ["workflows", "volume", "adapters", "functions", "agent"],
};

interface Source {
  readonly path: string;
  readonly text: string;
}

interface Violation {
  readonly path: string;
  readonly imports: string;
}

const IMPORT = /(?:from|import\(?)\s*"(\.{1,2}\/[^"]+)"/g;

const findViolations = (sources: readonly Source[]): Violation[] =>
  sources.flatMap(({ path, text }) => {
    const folder = path.split("/")[0] ?? "";
    const allowed = ARROWS[folder];
    if (allowed === undefined) return [];
    return [...text.matchAll(IMPORT)]
      .map((match) => normalize(join(dirname(path), match[1] ?? "")))
      .filter((target) => {
        const targetFolder = target.split("/")[0] ?? "";
        // Files at the top (package.json) are nobody's folder.
        const isTopFile = !target.includes("/");
        return !isTopFile && targetFolder !== folder && !allowed.includes(targetFolder);
      })
      .map((target) => ({ path, imports: target }));
  });

const trackedSources = (): Source[] =>
  execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.ts"], { encoding: "utf8" })
    .split("\n")
    .filter((path) => path !== "" && !path.endsWith(".test.ts"))
    .map((path) => ({ path, text: readFileSync(path, "utf8") }));

test("imports point down the table of folders", () => {
  expect(findViolations(trackedSources())).toEqual([]);
});

test("a planted violation is found", () => {
  const planted = {
    path: "workflows/deploy/decide.ts",
    text: 'import { x } from "../../adapters/sqs.ts";',
  };
  expect(findViolations([planted])).toEqual([
    { path: "workflows/deploy/decide.ts", imports: "adapters/sqs.ts" },
  ]);
});

test("no folder is a drawer for the nameless", () => {
  const drawers = trackedSources().filter(({ path }) =>
    /(^|\/)(utils|helpers|common|shared|lib|types|misc)(\/|\.ts$)/.test(path),
  );
  expect(drawers.map(({ path }) => path)).toEqual([]);
});

test("no barrels, no `export *`, no TODO", () => {
  const bad = trackedSources().filter(
    ({ path, text }) =>
      path.endsWith("/index.ts") || /^export \*/m.test(text) || /\bTO(?:DO)\b/.test(text),
  );
  expect(bad.map(({ path }) => path)).toEqual([]);
});
