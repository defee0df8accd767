/**
 * The container image of all parts, made without a registry: Debian by debootstrap, this repository,
 * and its locked packages with their Node.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { runCommand } from "../lab/command.ts";
import { ensureDebianPackages, IMAGE_BUILD_PACKAGES } from "../lab/debian-packages.ts";
import { importTar } from "../lab/images.ts";
import { packTree } from "../lab/root-file-systems.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = join(ROOT, ".build", "image");
const RELEASE = "bookworm";
/** git reads projects' repositories; an edge's names are served by Caddy. */
const DEBIAN_PACKAGES = ["ca-certificates", "git", "caddy"];
/** What runs, and nothing of how it is tested and built. */
const SOURCES = ["adapters", "agent", "cli", "functions", "volume", "workflows", "package.json"];
const WORK_TREE = ["--cached", "--others", "--exclude-standard"];
const PROGRAM = `#!/bin/sh
exec /opt/bagage/node_modules/.bin/node /opt/bagage/cli/main.ts "$@"
`;

/** Loads the image into the engine as `name:latest`. Needs root and Debian's mirror. */
export const buildImage = async (
  { socketPath, name }: { readonly socketPath: string; readonly name: string },
  signal: AbortSignal,
): Promise<void> => {
  await ensureDebianPackages(IMAGE_BUILD_PACKAGES, signal);
  const debian = await packTree(
    CACHE,
    `debian-${RELEASE}`,
    async (root) => {
      const include = `--include=${DEBIAN_PACKAGES.join(",")}`;
      await runCommand(["debootstrap", "--variant=minbase", include, RELEASE, root], {}, signal);
      await runCommand(
        ["rm", "-rf", join(root, "var/cache/apt"), join(root, "var/lib/apt/lists")],
        {},
        signal,
      );
    },
    signal,
  );
  const files = listProgram();
  const tar = await packTree(
    CACHE,
    `bagage-${digestOf(files)}`,
    async (root) => {
      await runCommand(["tar", "-C", root, "-xpf", debian], {}, signal);
      await layProgram(files, join(root, "opt", "bagage"), signal);
      writeFileSync(join(root, "usr/local/bin/bagage"), PROGRAM, { mode: 0o755 });
    },
    signal,
  );
  const changes = [`ENTRYPOINT ["bagage"]`, "WORKDIR /var/lib/bagage"];
  await importTar(new Docker({ socketPath }), tar, name, changes.join("\n"));
};

/** As the work tree has them, committed or not; paths from its root. */
const listProgram = (): string[] =>
  execFileSync("git", ["-C", ROOT, "ls-files", ...WORK_TREE, ...SOURCES, "package-lock.json"], {
    encoding: "utf8",
  })
    .split("\n")
    .filter((path) => path !== "" && !/\.test\.ts$/.test(path));

const digestOf = (files: readonly string[]): string => {
  const hash = createHash("sha256");
  for (const path of files) hash.update(`${path}\0`).update(readFileSync(join(ROOT, path)));
  return hash.digest("hex").slice(0, 16);
};

const layProgram = async (
  files: readonly string[],
  directory: string,
  signal: AbortSignal,
): Promise<void> => {
  for (const path of files) {
    mkdirSync(join(directory, dirname(path)), { recursive: true });
    cpSync(join(ROOT, path), join(directory, path));
  }
  mkdirSync(join(directory, "../../var/lib/bagage"), { recursive: true });
  const flags = ["--omit=dev", "--include=optional", "--ignore-scripts", "--no-audit", "--no-fund"];
  await runCommand(["npm", "ci", "--loglevel=error", ...flags], { cwd: directory }, signal);
};
