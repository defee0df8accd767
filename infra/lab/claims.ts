/**
 * Which labs exist on this machine and whose they are. Namespaces and addresses are the machine's,
 * not a work tree's, so the claims lie in one place for all work trees; like the namespaces they do
 * not survive a reboot.
 */
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { ProcessIdentity } from "../../adapters/process-identity.ts";
import { TerminalError } from "../../volume/errors.ts";

/** Sockets lie here too: a work tree's path may be longer than a socket's name can be. */
const RUN_DIRECTORY = "/run/bagage";
const LAB_COUNT_MAX = 100;

const Claim = z.strictObject({
  id: z.string().regex(/^\d{1,2}$/),
  /** The lab's files: state, logs, lab.json. */
  directory: z.string(),
  /** The process that stops the lab; null when it was left running until `down`. */
  owner: ProcessIdentity.nullable(),
});
export type Claim = z.infer<typeof Claim>;

export const runDirectory = (id: string): string => join(RUN_DIRECTORY, id);

/**
 * Takes the first free id and tells its lab directory, `<labsDirectory>/<id>`.
 * @throws TerminalError `too_many_labs`.
 */
export const claimLab = (labsDirectory: string, owner: ProcessIdentity | null): Claim => {
  mkdirSync(RUN_DIRECTORY, { recursive: true });
  const draft = join(RUN_DIRECTORY, `.claim-${process.pid}`);
  try {
    for (let number = 1; number < LAB_COUNT_MAX; number += 1) {
      const id = String(number);
      const claim: Claim = { id, directory: join(labsDirectory, id), owner };
      writeFileSync(draft, JSON.stringify(claim));
      if (linkIfFree(draft, claimFile(id))) return claim;
    }
  } finally {
    rmSync(draft, { force: true });
  }
  throw new TerminalError(`All ${LAB_COUNT_MAX - 1} lab ids are taken`, {
    code: "too_many_labs",
    hint: "node infra/setup.mjs infra/lab/main.ts down --all",
  });
};

/** Every lab that some process claimed, dead or alive. */
export const listClaims = (): Claim[] => {
  let names: string[];
  try {
    names = readdirSync(RUN_DIRECTORY);
  } catch {
    return [];
  }
  return names
    .filter((name) => /^\d{1,2}\.json$/.test(name))
    .map((name) => readClaim(join(RUN_DIRECTORY, name)))
    .filter((claim) => claim !== undefined);
};

/** Undefined when the lab has just ended. */
const readClaim = (path: string): Claim | undefined => {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  return Claim.parse(JSON.parse(text));
};

/** Leaves the lab running without an owner, until `down`. */
export const disownClaim = (claim: Claim): void => {
  const draft = join(RUN_DIRECTORY, `.claim-${process.pid}`);
  writeFileSync(draft, JSON.stringify({ ...claim, owner: null } satisfies Claim));
  renameSync(draft, claimFile(claim.id));
};

export const releaseClaim = (id: string): void => {
  rmSync(runDirectory(id), { recursive: true, force: true });
  rmSync(claimFile(id), { force: true });
};

/** A link appears with its content or not at all, and only one process can make it. */
const linkIfFree = (draft: string, path: string): boolean => {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
};

const claimFile = (id: string) => join(RUN_DIRECTORY, `${id}.json`);
