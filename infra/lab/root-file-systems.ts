/**
 * Root file systems for images, made of what this machine has: Debian's static busybox, the Node that
 * runs this very process, Debian's PostgreSQL, with the libraries that they are linked to. They are
 * packed once and kept in `.lab/images`, under names that tell what went into them.
 */
import { createHash } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { runCommand } from "./command.ts";

const BUSYBOX = "/bin/busybox";
/** Raised whenever the code below makes another tree of the same inputs. */
const LAYOUT_VERSION = 1;

/** Path of a tar with busybox and its commands, nothing else. */
export const packBusybox = (cache: string, signal: AbortSignal): Promise<string> =>
  packTree(cache, "busybox", (root) => layBusybox(root, signal), signal);

/** Path of a tar with busybox, Node at /usr/bin/node, and an empty /var/lib/data. */
export const packNode = (cache: string, signal: AbortSignal): Promise<string> =>
  packTree(
    cache,
    `node-${process.version}-${process.arch}`,
    async (root) => {
      await layBusybox(root, signal);
      copyInto(root, process.execPath, "/usr/bin/node");
      for (const library of await findLibraries(process.execPath, signal)) {
        copyInto(root, library, library);
      }
      mkdirSync(join(root, "var/lib/data"), { recursive: true });
    },
    signal,
  );

/**
 * Path of a tar with busybox, PostgreSQL with its programs on the PATH, and a user `postgres`.
 * @param home where Debian keeps one version of PostgreSQL, `/usr/lib/postgresql/15`.
 */
export const packPostgres = (cache: string, home: string, signal: AbortSignal): Promise<string> =>
  packTree(
    cache,
    `postgres-${basename(home)}-${process.arch}`,
    async (root) => {
      await layBusybox(root, signal);
      cpSync(home, join(root, home), { recursive: true, filter: isNeeded });
      const share = join("/usr/share/postgresql", basename(home));
      cpSync(share, join(root, share), { recursive: true, filter: isNeeded });
      const programs = readdirSync(join(home, "bin")).map((name) => join(home, "bin", name));
      const modules = readdirSync(join(home, "lib"))
        .filter((name) => name.endsWith(".so") && isNeeded(name))
        .map((name) => join(home, "lib", name));
      const linked = await Promise.all(
        [...programs, ...modules].map((file) => findLibraries(file, signal)),
      );
      for (const library of new Set(linked.flat())) copyInto(root, library, library);
      for (const program of programs) symlinkSync(program, join(root, "bin", basename(program)));
      appendFileSync(join(root, "etc/passwd"), "postgres:x:70:70:postgres:/:/bin/sh\n");
      appendFileSync(join(root, "etc/group"), "postgres:x:70:\n");
      // Where its socket lies.
      mkdirSync(join(root, "var/run/postgresql"), { recursive: true, mode: 0o777 });
      chmodSync(join(root, "var/run/postgresql"), 0o777);
      mkdirSync(join(root, "var/lib/data"), { recursive: true });
    },
    signal,
  );

/** Its compiler for queries would bring all of LLVM; manual pages serve nobody here. */
const isNeeded = (path: string): boolean => !/llvmjit|bitcode|\/man\b/.test(path);

/** Path of a tar with what `lay` makes below a directory; kept under the name. */
export const packTree = async (
  cache: string,
  name: string,
  lay: (root: string) => Promise<void>,
  signal: AbortSignal,
): Promise<string> => {
  const key = createHash("sha256").update(`${LAYOUT_VERSION} ${name}`).digest("hex").slice(0, 8);
  const target = join(cache, `${name}-${key}.tar`);
  if (existsSync(target)) return target;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, `${name}-`));
  try {
    const root = join(work, "root");
    mkdirSync(root, { mode: 0o755 });
    await lay(root);
    const tar = join(work, "image.tar");
    const owner = ["--owner=0", "--group=0", "--numeric-owner", "--sort=name"];
    await runCommand(["tar", "-C", root, ...owner, "-cf", tar, "."], {}, signal);
    renameSync(tar, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return target;
};

const layBusybox = async (root: string, signal: AbortSignal): Promise<void> => {
  copyInto(root, BUSYBOX, "/bin/busybox");
  const commands = (await runCommand([BUSYBOX, "--list"], {}, signal)).split("\n");
  for (const command of commands.filter((name) => name !== "" && name !== "busybox")) {
    symlinkSync("busybox", join(root, "bin", command));
  }
  for (const name of ["tmp", "etc", "root"]) mkdirSync(join(root, name));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\n");
};

/** What the program's loader would open, and the loader itself, as absolute paths. */
const findLibraries = async (program: string, signal: AbortSignal): Promise<string[]> => {
  const lines = (await runCommand(["ldd", program], {}, signal)).split("\n");
  return lines.map((line) => /(\/\S+) \(0x/.exec(line)?.[1]).filter((path) => path !== undefined);
};

const copyInto = (root: string, from: string, to: string): void => {
  mkdirSync(join(root, dirname(to)), { recursive: true });
  copyFileSync(from, join(root, to));
};
