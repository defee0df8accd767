/**
 * The image `lab-postgres` on a lab's engines: Debian's PostgreSQL, whose cluster is the volume at
 * /var/lib/data. It is large, so only what needs it puts it there.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { TerminalError } from "../../volume/errors.ts";
import type { Lab } from "./connect-lab.ts";
import { ensureDebianPackages, POSTGRES_PACKAGES } from "./debian-packages.ts";
import { build, importTar, packContext } from "./images.ts";
import { LABS_DIRECTORY } from "./lab.ts";
import { packPostgres } from "./root-file-systems.ts";

const VERSIONS = "/usr/lib/postgresql";
const CONTEXT = fileURLToPath(new URL("postgres", import.meta.url));

/** Idempotent. */
export const loadPostgresImage = async (
  lab: Pick<Lab, "nodes">,
  signal: AbortSignal,
): Promise<void> => {
  await ensureDebianPackages(POSTGRES_PACKAGES, signal);
  const [tar, context] = await Promise.all([
    packPostgres(join(LABS_DIRECTORY, "images"), postgresHome(), signal),
    packContext(CONTEXT, signal),
  ]);
  for (const { dockerSocket } of lab.nodes) {
    const docker = new Docker({ socketPath: dockerSocket });
    await importTar(docker, tar, "bagage-postgres", "ENV PATH=/usr/bin:/bin");
    await build(docker, context, { t: "lab-postgres:latest" });
  }
};

/** A program of this machine's PostgreSQL, of the version that the image has. */
export const postgresProgram = (name: "pgbench" | "pg_amcheck" | "psql"): string =>
  join(postgresHome(), "bin", name);

const postgresHome = (): string => {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS) : [];
  const [newest] = versions.sort((a, b) => Number(b) - Number(a));
  if (newest === undefined) {
    throw new TerminalError("PostgreSQL is not installed", {
      code: "no_postgres",
      hint: `apt-get install ${POSTGRES_PACKAGES.join(" ")}`,
    });
  }
  return join(VERSIONS, newest);
};
