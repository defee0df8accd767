/**
 * The container image of serve and edges, made without a registry: Debian by debootstrap, this
 * repository, and its locked packages with their Node. Not of nodes: see docs/operations.md.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
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
  const revision = execFileSync("git", ["-C", ROOT, "rev-parse", "HEAD"], { encoding: "utf8" });
  const tar = await packTree(
    CACHE,
    `bagage-${revision.trim()}`,
    async (root) => {
      await runCommand(["tar", "-C", root, "-xpf", debian], {}, signal);
      await layProgram(join(root, "opt", "bagage"), signal);
      writeFileSync(join(root, "usr/local/bin/bagage"), PROGRAM, { mode: 0o755 });
    },
    signal,
  );
  const changes = [`ENTRYPOINT ["bagage"]`, "WORKDIR /var/lib/bagage"];
  await importTar(new Docker({ socketPath }), tar, name, changes.join("\n"));
};

const layProgram = async (directory: string, signal: AbortSignal): Promise<void> => {
  const listed = execFileSync("git", ["-C", ROOT, "ls-files", ...SOURCES, "package-lock.json"], {
    encoding: "utf8",
  });
  for (const path of listed.split("\n")) {
    if (path === "" || /\.test\.ts$/.test(path)) continue;
    mkdirSync(join(directory, dirname(path)), { recursive: true });
    cpSync(join(ROOT, path), join(directory, path));
  }
  mkdirSync(join(directory, "../../var/lib/bagage"), { recursive: true });
  const flags = ["--omit=dev", "--include=optional", "--ignore-scripts", "--no-audit", "--no-fund"];
  await runCommand(["npm", "ci", "--loglevel=error", ...flags], { cwd: directory }, signal);
};
