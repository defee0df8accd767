/** The same bundles for the other processor, under another stage; package.test.ts has the defaults. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildBundles } from "../../infra/build.ts";
import { runCommand } from "../../infra/lab/command.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const signal = AbortSignal.timeout(240_000);
const directory = mkdtempSync(join(tmpdir(), "bagage-architectures-"));
const STAGE = "prod";

interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
}

beforeAll(async () => {
  await buildBundles(join(ROOT, ".build", "functions"));
  const osls = join(ROOT, "node_modules", "osls", "bin", "serverless.js");
  const argv = [osls, "package", "--stage", STAGE, "--package", directory];
  const params = ["architecture=x86_64", "queuePrefix=bagage-prod-"];
  const given = params.flatMap((param) => ["--param", param]);
  await promisify(execFile)(process.execPath, [...argv, ...given], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"], HOME: directory },
  });
}, 240_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const readResources = (type: string): Resource[] => {
  const file = join(directory, "cloudformation-template-update-stack.json");
  const { Resources } = JSON.parse(readFileSync(file, "utf8")) as {
    Resources: Record<string, Resource>;
  };
  return Object.values(Resources).filter(({ Type }) => Type === type);
};
const readFunctions = (): Resource[] => readResources("AWS::Lambda::Function");

test("a parameter chooses the processor, and what a stage has is named after it", () => {
  const functions = readFunctions();
  expect(functions.length).toBeGreaterThanOrEqual(4);
  for (const { Properties } of functions) {
    expect(Properties["Architectures"]).toEqual(["x86_64"]);
    expect(Properties["FunctionName"]).toMatch(/^bagage-prod-/);
    const { Variables } = Properties["Environment"] as { Variables: Record<string, string> };
    expect(Variables["BAGAGE_S3_SECRET_KEY_PARAMETER"]).toBe("/bagage/prod/s3-secret-key");
  }
});

test("stages in one account keep their queues apart, in the rights of their functions too", () => {
  const [queues, roles] = [readResources("AWS::SQS::Queue"), readResources("AWS::IAM::Role")];
  const names = queues.map(({ Properties }) => Properties["QueueName"]);
  expect(names).toContain("bagage-prod-control");
  expect(names.filter((name) => !String(name).startsWith("bagage-prod-"))).toEqual([]);
  const rights = JSON.stringify(roles.map(({ Properties }) => Properties["Policies"]));
  expect(rights).toContain(":bagage-prod-node-*");
  expect(rights).not.toMatch(/:bagage-(?:node|edge|control|publish)/);
  for (const { Properties } of readFunctions()) {
    const { Variables } = Properties["Environment"] as { Variables: Record<string, string> };
    expect(Variables["BAGAGE_QUEUE_PREFIX"]).toBe("bagage-prod-");
  }
});

test("what is uploaded is a bundle and its source map: nothing in it is of one processor", async () => {
  const archives = readdirSync(directory).filter((name) => name.endsWith(".zip"));
  expect(archives).toHaveLength(readFunctions().length);
  for (const archive of archives) {
    const name = archive.replace(/\.zip$/, "");
    const list = ["python3", "-m", "zipfile", "-l", join(directory, archive)] as const;
    const listed = await runCommand([...list], {}, signal);
    const files = listed.split("\n").flatMap((line) => /^\S+\.\S+/.exec(line)?.[0] ?? []);
    expect(files.sort()).toEqual([
      `.build/functions/${name}.mjs`,
      `.build/functions/${name}.mjs.map`,
    ]);
  }
});
