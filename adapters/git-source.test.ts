/** Real repositories, real git; over paths here, over HTTP in git-http.test.ts. */
// biome-ignore-all lint/style/noProcessEnv: git is found by PATH.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CommitId } from "../workflows/ids.ts";
import { createGitSource, FILE_BYTES_MAX, type GitSource } from "./git-source.ts";

const signal = AbortSignal.timeout(60_000);
const MAIN = "refs/heads/main";
let root = "";
let repository = "";
let work = "";
let source: GitSource;

const git = (cwd: string, ...args: string[]): string =>
  execFileSync("git", ["-c", "protocol.file.allow=always", ...args], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    env: {
      PATH: process.env["PATH"],
      HOME: root,
      GIT_AUTHOR_NAME: "a",
      GIT_AUTHOR_EMAIL: "a@example",
      GIT_COMMITTER_NAME: "a",
      GIT_COMMITTER_EMAIL: "a@example",
    },
  }).trim();

const commit = async (files: Record<string, string>, message: string): Promise<CommitId> => {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(work, path, ".."), { recursive: true });
    await writeFile(join(work, path), content);
  }
  git(work, "add", "-A");
  git(work, "commit", "-q", "--allow-empty", "-m", message);
  return CommitId.parse(git(work, "rev-parse", "HEAD"));
};

const push = (...args: string[]) => git(work, "push", "-q", repository, ...args);

const resolve = (ref = MAIN, wanted?: CommitId, file = "Deliverous") =>
  source.resolve({ repository, ref, commit: wanted, file }, signal);

const bytes = (content: string) => Buffer.from(content);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "git-source-"));
  repository = join(root, "remote.git");
  work = join(root, "work");
  git(root, "init", "-q", "--bare", repository);
  git(repository, "config", "uploadpack.allowFilter", "true");
  git(root, "init", "-q", "-b", "main", work);
  source = createGitSource({
    workDirectory: join(root, "visits"),
    policy: { allowLocalRepositories: true, allowPrivateNetworks: false },
  });
});
afterEach(async () => {
  // Every visit cleans up after itself, whatever came of it.
  if (existsSync(join(root, "visits"))) expect(readdirSync(join(root, "visits"))).toEqual([]);
  await rm(root, { recursive: true });
});

test.for([true, false])(
  "a ref is resolved with subject and file, partial clones %j",
  async (partial) => {
    git(repository, "config", "uploadpack.allowFilter", String(partial));
    const content = "conteneur:\n  image: x\n";
    const head = await commit(
      { Deliverous: content, "src/large": "x".repeat(1e6) },
      "Say é\n\nmore",
    );
    push("main");
    expect(await resolve()).toEqual({ commit: head, subject: "Say é", file: bytes(content) });
    expect(await source.resolveRef({ repository: `file://${repository}`, ref: MAIN }, signal)).toBe(
      head,
    );
    const at = { repository, commit: head };
    expect(await source.readFileAtCommit({ ...at, path: "Deliverous" }, signal)).toEqual(
      bytes(content),
    );
    expect(await source.readFileAtCommit({ ...at, path: "none" }, signal)).toBeNull();
    expect(await source.commitSubject(at, signal)).toBe("Say é");
  },
);

test("what is not there is null: a ref, a file, a commit", async () => {
  const head = await commit({ a: "1" }, "one");
  push("main");
  expect(await resolve("refs/heads/none")).toBeNull();
  expect(await resolve()).toEqual({ commit: head, subject: "one", file: null });
  const ghost = CommitId.parse("1".repeat(40));
  expect(await resolve(MAIN, ghost)).toBeNull();
  expect(await source.commitSubject({ repository, commit: ghost }, signal)).toBeNull();
});

test("an older commit of the ref is taken, one of another branch is not", async () => {
  const old = await commit({ Deliverous: "1" }, "one");
  await commit({ Deliverous: "2" }, "two");
  const head = await commit({ Deliverous: "3" }, "three");
  push("main");
  git(work, "checkout", "-q", "-b", "side", old);
  const side = await commit({ Deliverous: "evil" }, "side");
  push("side");
  expect(await resolve(MAIN, old)).toEqual({ commit: old, subject: "one", file: bytes("1") });
  expect(await resolve(MAIN, head)).toMatchObject({ file: bytes("3") });
  expect(await resolve(MAIN, side)).toBeNull();
  expect(await resolve("refs/heads/side", side)).toMatchObject({ file: bytes("evil") });
});

test("15: after a force-push the new tip counts; after a delete there is none", async () => {
  const first = await commit({ Deliverous: "1" }, "one");
  push("main");
  expect(await resolve()).toMatchObject({ commit: first });
  git(work, "commit", "-q", "--amend", "-m", "rewritten");
  const rewritten = CommitId.parse(git(work, "rev-parse", "HEAD"));
  push("+main");
  git(repository, "gc", "-q", "--prune=now");
  expect(await resolve()).toMatchObject({ commit: rewritten, subject: "rewritten" });
  expect(await resolve(MAIN, first)).toBeNull();
  push("--delete", "main");
  expect(await resolve()).toBeNull();
});

test("an annotated tag stands for its commit", async () => {
  const head = await commit({ Deliverous: "1" }, "one");
  git(work, "tag", "-a", "v1", "-m", "release");
  push("main", "v1");
  expect(await resolve("refs/tags/v1")).toMatchObject({ commit: head, file: bytes("1") });
});

test("a path is taken literally, and only a plain file is read", async () => {
  await mkdir(join(work, "dir"));
  await symlink("/etc/passwd", join(work, "link"));
  await commit({ "dir/file": "in", "*": "star", ":x": "colon", "é ü": "utf" }, "odd names");
  push("main");
  expect(await resolve(MAIN, undefined, "*")).toMatchObject({ file: bytes("star") });
  expect(await resolve(MAIN, undefined, ":x")).toMatchObject({ file: bytes("colon") });
  expect(await resolve(MAIN, undefined, "é ü")).toMatchObject({ file: bytes("utf") });
  expect(await resolve(MAIN, undefined, "dir/file")).toMatchObject({ file: bytes("in") });
  for (const path of ["link", "dir"]) {
    await expect(resolve(MAIN, undefined, path)).rejects.toMatchObject({
      name: "TerminalError",
      code: "file-not-plain",
    });
  }
});

test("a file that is too large is refused by its size", async () => {
  await commit({ Deliverous: "x".repeat(FILE_BYTES_MAX + 1) }, "large");
  push("main");
  await expect(resolve()).rejects.toMatchObject({ name: "TerminalError", code: "file-too-large" });
});

test("47: a submodule's URL, attributes and filters of the repository run nothing", async () => {
  const trap = join(root, "trapped");
  await commit(
    {
      ".gitmodules": `[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% ${trap}\n`,
      ".gitattributes": "* filter=evil diff=evil\n",
      Deliverous: "ok",
    },
    "hostile",
  );
  push("main");
  for (const key of ["filter.evil.smudge", "diff.evil.textconv", "uploadpack.packObjectsHook"]) {
    git(repository, "config", key, `touch ${trap}`);
  }
  expect(await resolve()).toMatchObject({ file: bytes("ok") });
  expect(existsSync(trap)).toBe(false);
});

test("47: refused URLs and odd ref names never reach git", async () => {
  const refused = (url: string) => source.resolveRef({ repository: url, ref: MAIN }, signal);
  for (const url of [
    "ext::sh -c id",
    "--upload-pack=id",
    "https://127.0.0.1/a",
    "http://a.example/",
  ]) {
    await expect(refused(url)).rejects.toMatchObject({ code: "repository-refused" });
  }
  for (const ref of ["main", "-x", "refs/heads/a..b", "refs/heads/*", "refs/heads/a b", "refs/"]) {
    await expect(resolve(ref)).rejects.toMatchObject({ code: "ref-invalid" });
  }
});

test("over ssh, the host is pinned and nothing of the machine's configuration is used", async () => {
  const head = await commit({ Deliverous: "by ssh" }, "one");
  push("main");
  // In ssh's place: notes what it was asked, and runs the other side's command here.
  const bin = join(root, "bin");
  await mkdir(bin);
  const script = `#!/bin/sh
printf '%s\\n' "$@" >> '${root}/asked'
for last; do :; done
exec sh -c "$last"
`;
  await writeFile(join(bin, "ssh"), script, { mode: 0o755 });
  vi.stubEnv("PATH", `${bin}:${process.env["PATH"]}`);
  const overSsh = createGitSource({
    workDirectory: join(root, "visits"),
    policy: { allowLocalRepositories: false, allowPrivateNetworks: false },
    resolveHost: async () => ["140.82.121.3"],
    credentialsFor: async () => ({
      kind: "ssh-key",
      privateKeyFile: "/keys/it's mine",
      knownHostsFile: "/keys/known",
    }),
  });
  const resolved = await overSsh.resolve(
    {
      repository: `git@git.example:${repository}`,
      ref: MAIN,
      commit: undefined,
      file: "Deliverous",
    },
    signal,
  );
  expect(resolved).toMatchObject({ commit: head, file: bytes("by ssh") });
  const asked = (await readFile(join(root, "asked"), "utf8")).split("\n");
  for (const word of [
    "HostName=140.82.121.3",
    "HostKeyAlias=git.example",
    "StrictHostKeyChecking=yes",
    "UserKnownHostsFile=/keys/known",
    "BatchMode=yes",
    "/keys/it's mine",
    "git@git.example",
  ]) {
    expect(asked).toContain(word);
  }
});

test("a missing repository is terminal, and says what to check", async () => {
  await expect(
    source.resolveRef({ repository: join(root, "none.git"), ref: MAIN }, signal),
  ).rejects.toMatchObject({ name: "TerminalError", code: "repository-missing" });
});

test("an abort ends git at once", async () => {
  const stop = new AbortController();
  const reason = new Error("stop");
  const resolving = source.resolveRef({ repository, ref: MAIN }, stop.signal);
  stop.abort(reason);
  await expect(resolving).rejects.toBe(reason);
});

test("what a commit says is fetched once; the ref is asked for each time", async () => {
  const first = await commit({ Deliverous: "one" }, "One");
  push("main");
  expect(await resolve()).toMatchObject({ commit: first, subject: "One" });
  // Without its objects the repository could not be fetched from any more.
  await rm(join(repository, "objects", first.slice(0, 2)), { recursive: true });
  const again = await resolve().catch((error: unknown) => error);
  expect(again).toMatchObject({ commit: first, file: bytes("one") });
});
