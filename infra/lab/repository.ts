/** A developer's side of a deploy: a bare repository with the hook, and a clone to push from. */
import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const HOOK = fileURLToPath(new URL("../post-receive", import.meta.url));
const run = promisify(execFile);

export interface Repository {
  /** What the project is configured with. */
  readonly url: string;
  /** Commits the files (null: removed) and pushes; the hook's words come back with the commit. */
  push(
    files: Readonly<Record<string, string | null>>,
    message: string,
    options?: { readonly force?: boolean },
  ): Promise<{ readonly commit: string; readonly output: string }>;
}

export interface HookSettings {
  readonly url: string;
  readonly project: string;
  readonly secret: string;
}

/** Makes both repositories; without hook settings a push tells nobody. */
export const createRepository = async (
  directory: string,
  hook: HookSettings | null,
): Promise<Repository> => {
  const bare = join(directory, "repository.git");
  const clone = join(directory, "clone");
  mkdirSync(directory, { recursive: true });
  await run("git", ["init", "--quiet", "--bare", "--initial-branch=main", bare]);
  await run("git", ["init", "--quiet", "--initial-branch=main", clone]);
  const git = (...argv: string[]) => run("git", ["-C", clone, ...argv]);
  await git("config", "user.name", "Developer");
  await git("config", "user.email", "developer@example.org");
  await git("remote", "add", "origin", bare);
  if (hook !== null) await installHook(bare, directory, hook);
  return {
    url: bare,
    push: async (files, message, options) => {
      for (const [name, content] of Object.entries(files)) {
        if (content === null) await git("rm", "--quiet", name);
        else {
          writeFileSync(join(clone, name), content);
          await git("add", name);
        }
      }
      await git("commit", "--quiet", "--allow-empty", "--message", message);
      const force = options?.force === true ? ["--force"] : [];
      const { stderr } = await git("push", "--quiet", ...force, "origin", "main");
      const { stdout } = await git("rev-parse", "HEAD");
      return { commit: stdout.trim(), output: stderr };
    },
  };
};

const installHook = async (bare: string, directory: string, hook: HookSettings): Promise<void> => {
  const secretFile = join(directory, "webhook-secret");
  writeFileSync(secretFile, hook.secret, { mode: 0o600 });
  const installed = join(bare, "hooks", "post-receive");
  copyFileSync(HOOK, installed);
  chmodSync(installed, 0o755);
  for (const [key, value] of [
    ["bagage.url", hook.url],
    ["bagage.project", hook.project],
    ["bagage.secretFile", secretFile],
  ] as const) {
    await run("git", ["-C", bare, "config", key, value]);
  }
};
