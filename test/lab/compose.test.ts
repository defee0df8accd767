/** infra/compose.yml as Compose reads it; and that every setting in it is one that the program has. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import { type CommandResult, tryCommand } from "../../infra/lab/command.ts";
import { COMPOSE_PACKAGES, ensureDebianPackages } from "../../infra/lab/debian-packages.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const signal = AbortSignal.timeout(300_000);
const SETTINGS = {
  BAGAGE_STORE: "s3://bagage",
  BAGAGE_S3_ENDPOINT: "http://10.0.0.4:8000,http://10.0.0.5:8000",
  ADDRESS: "10.0.0.7",
  QUEUE_ADDRESS: "10.0.0.6",
};

const Compose = z.object({
  services: z.record(
    z.string(),
    z.object({
      command: z.array(z.string()).optional(),
      environment: z.record(z.string(), z.string().nullable()).default({}),
      secrets: z.array(z.object({ source: z.string() })).default([]),
    }),
  ),
});

const config = (env: Record<string, string>): Promise<CommandResult> => {
  const files = ["-f", "infra/compose.yml", "--project-directory", "."] as const;
  return tryCommand(["docker-compose", ...files, "config"], { cwd: ROOT, env }, signal);
};

beforeAll(async () => {
  await ensureDebianPackages(COMPOSE_PACKAGES, signal);
}, 300_000);

test("Compose understands the file, and each part finds the store by secrets in files", async () => {
  const { exitCode, stdout } = await config(SETTINGS);
  expect(exitCode).toBe(0);
  const { services } = Compose.parse(parse(stdout));
  expect(Object.keys(services).sort()).toEqual([
    ...["caddy", "edge", "guard", "node", "queue", "serve"],
  ]);
  const known = readFileSync(`${ROOT}/functions/config.ts`, "utf8");
  for (const name of ["serve", "edge", "node"]) {
    const { command, environment = {}, secrets = [] } = services[name] ?? {};
    expect(command).toEqual([name]);
    expect(secrets.map(({ source }) => source)).toEqual(["store-access-key", "store-secret-key"]);
    expect(environment).toMatchObject({
      BAGAGE_STORE: SETTINGS.BAGAGE_STORE,
      BAGAGE_S3_ENDPOINT: SETTINGS.BAGAGE_S3_ENDPOINT,
      BAGAGE_S3_SECRET_KEY_FILE: "/run/secrets/store-secret-key",
      BAGAGE_SQS_ENDPOINT: "http://10.0.0.6:9324",
    });
    for (const setting of Object.keys(environment)) {
      expect(known).toContain(`  ${setting.replace(/_FILE$/, "")}: `);
    }
  }
});

test("a setting that is missing is named", async () => {
  const { exitCode, stderr } = await config({ ...SETTINGS, BAGAGE_STORE: "" });
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain("s3://BUCKET");
});
