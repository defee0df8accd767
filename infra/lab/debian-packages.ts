/**
 * The Debian packages that the lab's parts and tests come from. Only what is missing is installed,
 * so that a machine that has them needs neither network nor time.
 */
import { TerminalError } from "../../volume/errors.ts";
import { runCommand, tryCommand } from "./command.ts";

export const NETWORK_PACKAGES = ["iproute2", "util-linux"];
export const DOCKER_PACKAGES = ["docker.io", "iptables"];
export const CEPH_PACKAGES = ["ceph-mon", "ceph-mgr", "ceph-osd", "radosgw", "ceph-common"];
export const IMAGE_PACKAGES = ["busybox-static", "tar"];
/** Maven resolves ElasticMQ and its libraries; it brings a Java runtime. */
export const ELASTICMQ_PACKAGES = ["maven", "default-jre-headless"];
/** What an edge's names are served by. */
export const EDGE_PACKAGES = ["caddy"];
/** Programs that tests use to make and compare volumes. */
export const TEST_PACKAGES = ["acl", "attr", "btrfs-progs", "git", "rsync", "sqlite3", "xfsprogs"];
/** What a run of faults needs beside a lab: clocks that jump, a small file system to fill. */
export const CHAOS_PACKAGES = ["e2fsprogs", "libfaketime"];
/** An application whose data must never be lost, its load (pgbench) and its own check (pg_amcheck). */
export const POSTGRES_PACKAGES = ["postgresql"];
/** What the benchmarks hold the engine against, and file systems to run on. */
export const BENCH_PACKAGES = [
  ...["btrfs-progs", "netcat-openbsd", "rclone", "restic", "rsync", "xfsprogs"],
];
/** Makes an image of Debian, and of this repository. */
export const IMAGE_BUILD_PACKAGES = ["debootstrap", "tar"];
/** Reads compose files, and runs them. */
export const COMPOSE_PACKAGES = ["docker-compose"];
/** Reads units as the machines that they are for do. */
export const SYSTEMD_PACKAGES = ["systemd"];
/** File systems to hold a lazy hydrate against. */
export const LAZY_PACKAGES = ["bindfs", "diffutils"];

/** Clients that users of a project's bucket have. */
export const S3_CLIENT_PACKAGES = ["awscli", "python3-swiftclient", "rclone", "s3cmd", "s3fs"];

/** Another apt may hold the lock; it is waited for this long. */
const LOCK_TIMEOUT_SECONDS = 300;

/**
 * Makes sure that the packages are installed. Idempotent.
 * @returns the packages that it had to install.
 * @throws TerminalError `not_debian` or `not_root`, with the command to run by hand as hint.
 */
export const ensureDebianPackages = async (
  packages: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> => {
  const missing = await findMissing([...new Set(packages)], signal);
  if (missing.length === 0) return [];
  const hint = `apt-get install --no-install-recommends ${missing.join(" ")}`;
  if (process.getuid?.() !== 0) {
    throw new TerminalError(`Debian packages are missing: ${missing.join(", ")}`, {
      code: "not_root",
      hint: `As root: ${hint}`,
    });
  }
  const { exitCode } = await tryAptGet(["install", ...missing], signal);
  if (exitCode !== 0) {
    // Without lists, or with lists some weeks old, apt does not know the files of today's archive.
    await aptGet(["update"], signal);
    await aptGet(["install", ...missing], signal);
  }
  return missing;
};

const findMissing = async (packages: readonly string[], signal: AbortSignal) => {
  const format = `\${Package} \${db:Status-Status}\n`;
  const query = await tryCommand(["dpkg-query", "-W", "-f", format, ...packages], {}, signal).catch(
    (cause: unknown) => {
      signal.throwIfAborted();
      throw new TerminalError("The lab needs a Debian machine: it has no dpkg-query", {
        code: "not_debian",
        hint: "Run it on Debian 12 or later, or in a virtual machine with it.",
        cause,
      });
    },
  );
  const present = new Set(
    query.stdout
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((line) => line.split(" ")[0]),
  );
  return packages.filter((name) => !present.has(name));
};

const APT_OPTIONS = [
  "--yes",
  "--quiet",
  "--no-install-recommends",
  `-oDPkg::Lock::Timeout=${LOCK_TIMEOUT_SECONDS}`,
  "-oAcquire::Retries=3",
];
const APT_ENVIRONMENT = { DEBIAN_FRONTEND: "noninteractive" };

const aptGet = (args: readonly string[], signal: AbortSignal) =>
  runCommand(["apt-get", ...APT_OPTIONS, ...args], { env: APT_ENVIRONMENT }, signal);

const tryAptGet = (args: readonly string[], signal: AbortSignal) =>
  tryCommand(["apt-get", ...APT_OPTIONS, ...args], { env: APT_ENVIRONMENT }, signal);
