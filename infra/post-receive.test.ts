/** The hook in a real bare repository, with real pushes, against the real receiver over loopback. */
import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type LambdaHttpServer, startLambdaHttpServer } from "../functions/lambda-http-server.ts";
import { createHandler } from "../functions/receive-git-push/handler.ts";
import type { PushDelivery } from "../functions/receive-git-push/receive-git-push.ts";

const run = promisify(execFile);
/** 80 bytes: longer than a block of SHA-256, so that HMAC hashes the key first. */
const LONG_SECRET = "é%\\n'\"$".repeat(10);

const ENVIRONMENT = {
  ...process.env,
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_AUTHOR_NAME: "a",
  GIT_AUTHOR_EMAIL: "a@example.org",
  GIT_COMMITTER_NAME: "a",
  GIT_COMMITTER_EMAIL: "a@example.org",
  NO_PROXY: "127.0.0.1",
};

let directory = "";
let recorded: PushDelivery[] = [];
let server: LambdaHttpServer;
let secret = "a-plain-secret-of-a-project";

const git = async (...args: readonly string[]): Promise<string> => {
  const { stdout, stderr } = await run("git", ["-C", join(directory, "work"), ...args], {
    env: ENVIRONMENT,
  });
  return `${stdout}${stderr}`;
};

const configure = (key: string, value: string) =>
  git("config", "-f", join(directory, "bare/config"), key, value);

beforeEach(async () => {
  recorded = [];
  secret = "a-plain-secret-of-a-project";
  directory = mkdtempSync(join(tmpdir(), "bagage-hook-"));
  server = await startLambdaHttpServer({
    host: "127.0.0.1",
    port: 0,
    bodyBytesMax: 2 ** 20,
    requestTimeoutMs: 5_000,
    closeGraceMs: 1_000,
    handler: createHandler({
      findProject: async (project) =>
        project === "shop" ? { webhookSecrets: [secret], ref: "refs/heads/main" } : null,
      recordDelivery: async (push) => {
        recorded.push(push);
        return "recorded";
      },
      sendHint: async () => undefined,
      nowMs: () => Date.now(),
      log: pino({ level: "silent" }),
    }),
  });
  await run("git", ["init", "-q", "--bare", "-b", "main", join(directory, "bare")], {
    env: ENVIRONMENT,
  });
  await run("git", ["init", "-q", "-b", "main", join(directory, "work")], { env: ENVIRONMENT });
  copyFileSync("infra/post-receive", join(directory, "bare/hooks/post-receive"));
  chmodSync(join(directory, "bare/hooks/post-receive"), 0o755);
  writeFileSync(join(directory, "secret"), `${secret}\n`);
  await configure("bagage.url", `${server.url}/`);
  await configure("bagage.project", "shop");
  await configure("bagage.secretFile", join(directory, "secret"));
  await git("remote", "add", "origin", join(directory, "bare"));
  await git("commit", "-q", "--allow-empty", "-m", "first");
});

afterEach(async () => {
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

const head = async (): Promise<string> => (await git("rev-parse", "HEAD")).trim();

test("a push is told, with the commit, and the pusher sees it", async () => {
  const said = await git("push", "origin", "main");
  expect(said).toMatch(/remote: bagage: shop: .*"outcome":"recorded"/);
  expect(recorded).toMatchObject([
    { project: "shop", provider: "git", ref: "refs/heads/main", commitHint: await head() },
  ]);
});

test("the signature is right for any secret", async () => {
  for (const candidate of [LONG_SECRET, "x".repeat(64), "x".repeat(65), "%s\\101"]) {
    secret = candidate;
    writeFileSync(join(directory, "secret"), candidate);
    await git("commit", "-q", "--allow-empty", "-m", "next");
    expect(await git("push", "origin", "main")).toContain("recorded");
  }
  expect(recorded).toHaveLength(4);
});

test("one push of many refs, odd names among them, is one delivery of the followed one", async () => {
  for (const branch of ['quo"te', "é", "a'b", "$HOME", "semi;colon"]) await git("branch", branch);
  await git("tag", "v1");
  await git("push", "origin", "--all");
  await git("push", "origin", "--tags");
  expect(recorded.map(({ ref }) => ref)).toEqual(["refs/heads/main"]);
  expect(await git("push", "origin", ":v1")).toContain("the project follows refs/heads/main");
});

test("a deleted branch is told without a commit", async () => {
  await git("push", "origin", "main", "main:other");
  await run("git", ["-C", join(directory, "bare"), "symbolic-ref", "HEAD", "refs/heads/other"]);
  await git("push", "origin", ":main");
  expect(recorded.at(-1)).toMatchObject({ ref: "refs/heads/main", commitHint: null });
});

test("a wrong secret, an unknown project, a missing setting are told, and the push stands", async () => {
  const pushes = async (setUp: () => unknown, said: string) => {
    await setUp();
    await git("commit", "-q", "--allow-empty", "-m", "next");
    expect(await git("push", "origin", "main")).toContain(
      `remote: bagage: not told of this push: ${said}`,
    );
    expect(
      (await run("git", ["-C", join(directory, "bare"), "rev-parse", "main"])).stdout.trim(),
    ).toBe(await head());
  };
  await pushes(
    () => writeFileSync(join(directory, "secret"), "wrong"),
    "the secret is not that of",
  );
  await pushes(() => configure("bagage.project", "nobody"), "the secret is not that of");
  await pushes(
    () => rmSync(join(directory, "secret")),
    `${join(directory, "secret")} can't be read`,
  );
  await pushes(
    () => git("config", "-f", join(directory, "bare/config"), "--unset", "bagage.url"),
    "git config bagage.url",
  );
  expect(recorded).toEqual([]);
});

test("a receiver that is away, or takes the push and never answers, holds it for less than 10 s", async () => {
  const silent: Server = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const address = silent.address();
  const port = typeof address === "object" ? address?.port : 0;
  for (const url of [`http://127.0.0.1:${port}`, "http://127.0.0.1:9"]) {
    await configure("bagage.url", url);
    await git("commit", "-q", "--allow-empty", "-m", "next");
    const startedAtMs = performance.now();
    expect(await git("push", "origin", "main")).toContain("not told of this push: curl:");
    expect(performance.now() - startedAtMs).toBeLessThan(10_000);
  }
  silent.close();
}, 40_000);

test("the secret is never an argument of a process", async () => {
  const log = join(directory, "processes");
  const wrappers = mkdtempSync(join(directory, "bin-"));
  for (const program of ["cat", "curl", "cut", "head", "od", "openssl", "sed", "tr"]) {
    const { stdout } = await run("sh", ["-c", `command -v ${program}`]);
    const lines = [
      "#!/bin/sh",
      `printf '%s\\n' "${program} $*" >>${log}`,
      `exec ${stdout.trim()} "$@"`,
    ];
    writeFileSync(join(wrappers, program), lines.join("\n"), { mode: 0o755 });
  }
  const path = `${wrappers}:${process.env["PATH"]}`;
  const push = ["-C", join(directory, "work"), "push", "origin", "main"];
  await run("git", push, { env: { ...ENVIRONMENT, PATH: path } });
  expect(recorded).toHaveLength(1);
  const seen = readFileSync(log, "utf8");
  expect(seen).toContain("openssl dgst");
  expect(seen).not.toContain(secret);
  expect(seen).not.toContain(Buffer.from(secret).toString("hex"));
});
