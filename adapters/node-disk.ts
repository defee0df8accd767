/**
 * Where a node keeps its copies of volumes, and the renames by which a copy changes its role. A copy
 * is one directory that holds `data/` (what containers see), the engine's index of it and a marker.
 *
 *     <root>/volumes/<project>/<volume>/live-e7/      a container of epoch 7 may write here
 *                                       sealed-e7/    nobody writes; equals the seal of epoch 7
 *                                       staging/      being hydrated for the running deploy
 *                                       branch-e7/    kept aside, never overwritten
 *
 * A role changes by one rename, so a start under an old epoch finds no directory to mount.
 */
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { TerminalError } from "../volume/errors.ts";
import { Epoch, type ProjectId, SnapshotId, type VolumeName } from "../workflows/ids.ts";
import { readJsonFile, writeFileDurably } from "./durable-file.ts";

/** What the data are known to be. Written before the copy takes on a role that relies on it. */
export const Marker = z.strictObject({
  /** The snapshot that the data equal (sealed, staging) or began from (live); null: began empty. */
  snapshotId: SnapshotId.nullable(),
  digest: z.string().nullable(),
  bytes: z.int().nonnegative(),
  files: z.int().nonnegative(),
  writtenAtMs: z.int(),
});
export type Marker = z.infer<typeof Marker>;

export type Role = "live" | "sealed" | "branch";

export interface Copy {
  readonly role: Role | "staging";
  /** 0 for staging. */
  readonly epoch: Epoch;
  readonly path: string;
  readonly marker: Marker | null;
}

const COPY_NAME = /^(live|sealed|branch)-e(\d+)$/;

export const dataPath = (copyPath: string): string => join(copyPath, "data");
export const indexPath = (copyPath: string): string => join(copyPath, "index");

export interface NodeDisk {
  readonly root: string;
  /** The directory that a container of this epoch would mount. */
  pathOf(project: ProjectId, volume: VolumeName, role: Role, epoch: Epoch): string;
  stagingPath(project: ProjectId, volume: VolumeName): string;
  listProjects(): Promise<ProjectId[]>;
  listVolumes(project: ProjectId): Promise<VolumeName[]>;
  listCopies(project: ProjectId, volume: VolumeName): Promise<Copy[]>;
  writeMarker(copyPath: string, marker: Marker): Promise<void>;
  /** Creates an empty copy whose data directory any user of the container may write to. */
  createEmpty(copyPath: string, nowMs: number): Promise<void>;
  /** Atomic and durable; refuses to replace an existing copy. */
  moveCopy(from: string, to: string): Promise<void>;
  remove(copyPath: string): Promise<void>;
}

/** Everybody in the container; the directories above are closed to everybody else on the host. */
const EMPTY_VOLUME_MODE = 0o777;
const PRIVATE_MODE = 0o700;

export const openNodeDisk = (root: string): NodeDisk => {
  const volumes = join(root, "volumes");
  const volumePath = (project: ProjectId, volume: VolumeName) => join(volumes, project, volume);
  return {
    root,
    pathOf: (project, volume, role, epoch) =>
      join(volumePath(project, volume), `${role}-e${epoch}`),
    stagingPath: (project, volume) => join(volumePath(project, volume), "staging"),
    listProjects: async () => (await listDirectories(volumes)) as ProjectId[],
    listVolumes: async (project) => (await listDirectories(join(volumes, project))) as VolumeName[],
    listCopies: async (project, volume) => listCopies(volumePath(project, volume)),
    writeMarker: (copyPath, marker) =>
      writeFileDurably(join(copyPath, "marker.json"), JSON.stringify(marker)),
    createEmpty: async (copyPath, nowMs) => {
      const draft = `${copyPath}.new`;
      await rm(draft, { recursive: true, force: true });
      await mkdir(draft, { recursive: true, mode: PRIVATE_MODE });
      await mkdir(dataPath(draft));
      const data = await open(dataPath(draft), "r");
      await data.chmod(EMPTY_VOLUME_MODE).finally(() => data.close());
      const marker: Marker = {
        snapshotId: null,
        digest: null,
        bytes: 0,
        files: 0,
        writtenAtMs: nowMs,
      };
      await writeFileDurably(join(draft, "marker.json"), JSON.stringify(marker));
      await moveDurably(draft, copyPath);
    },
    moveCopy: moveDurably,
    remove: (copyPath) => rm(copyPath, { recursive: true, force: true }),
  };
};

const listDirectories = async (path: string): Promise<string[]> => {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
};

const listCopies = async (path: string): Promise<Copy[]> => {
  const copies: Copy[] = [];
  for (const name of await listDirectories(path)) {
    const copyPath = join(path, name);
    const match = COPY_NAME.exec(name);
    if (match === null && name !== "staging") continue;
    copies.push({
      role: (match?.[1] ?? "staging") as Copy["role"],
      epoch: Epoch.parse(Number(match?.[2] ?? 0)),
      path: copyPath,
      marker: await readJsonFile(join(copyPath, "marker.json"), Marker),
    });
  }
  return copies;
};

const moveDurably = async (from: string, to: string): Promise<void> => {
  try {
    await rename(from, to);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOTEMPTY") {
      throw new TerminalError(`${to} exists already and is not replaced`, {
        code: "copy-exists",
        cause,
      });
    }
    throw cause;
  }
  const parent = await open(join(to, ".."), "r");
  await parent.sync().finally(() => parent.close());
};
