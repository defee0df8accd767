/**
 * Where a node keeps its copies of volumes, and the renames by which a copy changes its role. A copy
 * is one directory that holds `data/` (what containers see), the engine's index of it and a marker.
 *
 *     <root>/volumes/<project>/<volume>/live-e7/      a container of epoch 7 may write here
 *                                       sealed-e7/    nobody writes; equals the seal of epoch 7
 *                                       staging/      being hydrated for the running deploy
 *                                       branch-e7/    kept aside, never overwritten
 *                                       inbox/        users' files on their way into the data
 *
 * A role changes by one rename, so a start under an old epoch finds no directory to mount.
 */
import { mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { TerminalError } from "../volume/errors.ts";
import { Epoch, type ProjectId, SnapshotId, type VolumeName } from "../workflows/ids.ts";
import { readJsonFile, writeFileDurably } from "./durable-file.ts";

/** What the data are known to be. Written before the copy takes on a role that relies on it. */
export const Marker = z.strictObject({
  /** The snapshot that the data equal. Null where they are being written to, or were when last seen. */
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

const markerPath = (copyPath: string): string => join(copyPath, "marker.json");

/** Of a copy that is being deleted: what a crash leaves of it has no copy's name. */
const GRAVE_SUFFIX = ".gone";

const COPY_NAME = /^(live|sealed|branch)-e(\d+)$/;

export const dataPath = (copyPath: string): string => join(copyPath, "data");
/** The engine's index of a snapshot; a copy may have those of several, to choose a parent from. */
export const indexPath = (copyPath: string, snapshotId: SnapshotId): string =>
  join(copyPath, `${INDEX_PREFIX}${snapshotId}`);

const INDEX_PREFIX = "index-";

/** Snapshots that the copy has an index of, newest first. */
export const listIndexes = async (copyPath: string): Promise<SnapshotId[]> => {
  const found: { id: SnapshotId; atMs: number }[] = [];
  for (const name of await readdir(copyPath)) {
    const id = SnapshotId.safeParse(name.slice(INDEX_PREFIX.length));
    if (!name.startsWith(INDEX_PREFIX) || !id.success) continue;
    found.push({ id: id.data, atMs: (await stat(join(copyPath, name))).mtimeMs });
  }
  return found.sort((a, b) => b.atMs - a.atMs).map(({ id }) => id);
};

export interface NodeDisk {
  readonly root: string;
  /** The directory that a container of this epoch would mount. */
  pathOf(project: ProjectId, volume: VolumeName, role: Role, epoch: Epoch): string;
  stagingPath(project: ProjectId, volume: VolumeName): string;
  /** Not a copy; on the same file system as the copies. */
  inboxPath(project: ProjectId, volume: VolumeName): string;
  listProjects(): Promise<ProjectId[]>;
  listVolumes(project: ProjectId): Promise<VolumeName[]>;
  listCopies(project: ProjectId, volume: VolumeName): Promise<Copy[]>;
  readMarker(copyPath: string): Promise<Marker | null>;
  writeMarker(copyPath: string, marker: Marker): Promise<void>;
  /** Creates the copy's directory, without data, unless it is there. */
  ensureCopy(copyPath: string): Promise<void>;
  renameIndex(copyPath: string, from: SnapshotId, to: SnapshotId): Promise<void>;
  /** Removes all indexes but one. */
  dropIndexes(copyPath: string, but: SnapshotId): Promise<void>;
  /** Removes the indexes that were written before this one; none if it is not there. */
  dropOlderIndexes(copyPath: string, than: SnapshotId): Promise<void>;
  /** Creates an empty copy whose data directory any user of the container may write to. */
  createEmpty(copyPath: string, nowMs: number): Promise<void>;
  /** Atomic and durable; refuses to replace an existing copy. */
  moveCopy(from: string, to: string): Promise<void>;
  /** At once, or not at all: half a copy must not pass for what its marker says. */
  remove(copyPath: string): Promise<void>;
  /** What a crash left of copies that were being removed. */
  removeLeftovers(): Promise<void>;
  freeBytes(): Promise<number>;
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
    inboxPath: (project, volume) => join(volumePath(project, volume), "inbox"),
    listProjects: async () => (await listDirectories(volumes)) as ProjectId[],
    listVolumes: async (project) => (await listDirectories(join(volumes, project))) as VolumeName[],
    listCopies: async (project, volume) => listCopies(volumePath(project, volume)),
    readMarker: (copyPath) => readJsonFile(markerPath(copyPath), Marker),
    writeMarker: (copyPath, marker) =>
      writeFileDurably(markerPath(copyPath), JSON.stringify(marker)),
    ensureCopy: async (copyPath) => {
      await mkdir(copyPath, { recursive: true, mode: PRIVATE_MODE });
    },
    renameIndex: async (copyPath, from, to) => {
      const indexes = await listIndexes(copyPath);
      if (indexes.includes(from)) await rename(indexPath(copyPath, from), indexPath(copyPath, to));
    },
    dropOlderIndexes: async (copyPath, than) => {
      const newestFirst = await listIndexes(copyPath);
      const at = newestFirst.indexOf(than);
      const older = at < 0 ? [] : newestFirst.slice(at + 1);
      for (const id of older) await rm(indexPath(copyPath, id), { force: true });
    },
    dropIndexes: async (copyPath, but) => {
      for (const id of await listIndexes(copyPath)) {
        if (id !== but) await rm(indexPath(copyPath, id), { force: true });
      }
    },
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
      await writeFileDurably(markerPath(draft), JSON.stringify(marker));
      await moveDurably(draft, copyPath);
    },
    moveCopy: moveDurably,
    remove: removeCopy,
    removeLeftovers: async () => {
      for (const project of await listDirectories(volumes)) {
        for (const volume of await listDirectories(join(volumes, project))) {
          const place = join(volumes, project, volume);
          const graves = (await listDirectories(place)).filter((n) => n.endsWith(GRAVE_SUFFIX));
          for (const name of graves) await rm(join(place, name), { recursive: true, force: true });
        }
      }
    },
    freeBytes: async () => {
      const { bavail, bsize } = await statfs(root);
      return bavail * bsize;
    },
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
      marker: await readJsonFile(markerPath(copyPath), Marker),
    });
  }
  return copies;
};

const removeCopy = async (copyPath: string): Promise<void> => {
  const grave = `${copyPath}${GRAVE_SUFFIX}`;
  await rm(grave, { recursive: true, force: true });
  try {
    await moveDurably(copyPath, grave);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  await rm(grave, { recursive: true, force: true });
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
