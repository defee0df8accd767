/**
 * Writes files from elsewhere into a directory that an application may have filled as it liked: no
 * link in it leads out, and a file appears as a whole or not at all.
 */
import { constants, type Stats } from "node:fs";
import { type FileHandle, link, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { sha256 } from "../volume/digest.ts";
import { TerminalError } from "../volume/errors.ts";
import { throughFd } from "../volume/scan/through-fd.ts";

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const PART_BYTES_MAX = 255;
const READ_WRITE = 0o666;
const PERMISSIONS = 0o777;
const PRIVATE_MODE = 0o600;

export interface FileToPlace {
  /** Below the root, `/` between its parts. */
  readonly path: string;
  readonly body: AsyncIterable<Uint8Array>;
  readonly mtimeMs: number;
}

/** A file that stands, whole and synced, elsewhere on the root's file system. */
export interface FileToLink {
  readonly path: string;
  readonly from: string;
}

/** Why nothing can stand under the path, or null. */
export const whyNoPath = (path: string): string | null => {
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..")) {
    return "its name is no path within the volume";
  }
  if (path.includes("\0")) return "its name has a NUL";
  return parts.some((part) => Buffer.byteLength(part) > PART_BYTES_MAX)
    ? `a part of its name is longer than ${PART_BYTES_MAX} bytes`
    : null;
};

/**
 * Replaces a file of that name, and keeps its owner and mode; a new one has its directory's. Throws
 * TerminalError `path-blocked` where a link, or something else, stands in the way.
 */
export const placeFile = async (
  root: string,
  { path, body, mtimeMs }: FileToPlace,
): Promise<void> => {
  const { parent, name } = await openPlace(root, path);
  try {
    await writeInto(parent, { name, path, body, mtimeMs });
  } finally {
    await parent.close();
  }
};

/**
 * As placeFile, for a file that need not be written any more: it gets a further name, which costs no
 * time that its size would tell. Durable once `syncPlaces` of its path has returned. Idempotent.
 */
export const linkFile = async (root: string, { path, from }: FileToLink): Promise<void> => {
  const { parent, name } = await openPlace(root, path);
  try {
    const { final, draft, there } = await prepare(parent, name, path);
    const file = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { ino, dev } = await file.stat();
      // A crash may have come after it: a rename onto another name of the same file does nothing.
      if (there !== null && there.ino === ino && there.dev === dev) return;
      await adopt(file, there ?? (await parent.stat()), there === null);
      await link(from, draft);
      await rename(draft, final);
    } finally {
      await file.close();
    }
  } finally {
    await parent.close();
  }
};

/** Makes what was linked under these paths durable: one sync for each directory. */
export const syncPlaces = async (root: string, paths: Iterable<string>): Promise<void> => {
  const places = new Map<string, string>();
  for (const path of paths) {
    const parts = path.split("/");
    for (let depth = parts.length - 1; depth >= 0; depth -= 1) {
      const directory = parts.slice(0, depth).join("/");
      if (places.has(directory)) break;
      places.set(directory, [...parts.slice(0, depth), "any"].join("/"));
    }
  }
  for (const path of places.values()) {
    const { parent } = await openPlace(root, path);
    await parent.sync().finally(() => parent.close());
  }
};

const openPlace = async (
  root: string,
  path: string,
): Promise<{ readonly parent: FileHandle; readonly name: string }> => {
  const reason = whyNoPath(path);
  if (reason !== null) throw blocked(path, reason);
  const parts = path.split("/");
  const name = parts.pop() ?? "";
  return { parent: await openParent(root, parts, path), name };
};

const prepare = async (parent: FileHandle, name: string, path: string) => {
  const final = throughFd(parent.fd, Buffer.from(name));
  const draft = throughFd(parent.fd, Buffer.from(`.bagage-${sha256(name)}`));
  // Of a try that a crash ended: the name is the same, so that it does not stay for ever.
  await rm(draft, { force: true });
  const there = await lstat(final).catch(ifAbsent);
  if (there !== null && !there.isFile()) throw blocked(path, "something else has its name");
  return { final, draft, there };
};

/** Owner and mode of the file that was there, or of the directory that a new one is in. */
const adopt = async (file: FileHandle, like: Stats, isNew: boolean): Promise<void> => {
  await file.chown(like.uid, like.gid);
  await file.chmod(like.mode & (isNew ? READ_WRITE : PERMISSIONS));
};

const writeInto = async (
  parent: FileHandle,
  { name, path, body, mtimeMs }: FileToPlace & { readonly name: string },
): Promise<void> => {
  const { final, draft, there } = await prepare(parent, name, path);
  const like = there ?? (await parent.stat());
  const file = await open(draft, CREATE, PRIVATE_MODE);
  try {
    for await (const chunk of body) await file.writeFile(chunk);
    await adopt(file, like, there === null);
    await file.utimes(mtimeMs / 1_000, mtimeMs / 1_000);
    await file.sync();
    await rename(draft, final);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await parent.sync();
};

/** The directory that the file shall be in; missing ones are made with the rights of the one above. */
const openParent = async (
  root: string,
  parts: readonly string[],
  path: string,
): Promise<FileHandle> => {
  let directory = await open(root, DIRECTORY);
  for (const part of parts) {
    try {
      const next = await openChild(directory, Buffer.from(part));
      await directory.close();
      directory = next;
    } catch (cause) {
      await directory.close();
      const { code } = cause as NodeJS.ErrnoException;
      if (code !== "ENOTDIR" && code !== "ELOOP") throw cause;
      throw blocked(path, `${part} is no directory`);
    }
  }
  return directory;
};

const openChild = async (directory: FileHandle, name: Buffer): Promise<FileHandle> => {
  const at = throughFd(directory.fd, name);
  try {
    return await open(at, DIRECTORY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  await mkdir(at);
  const made = await open(at, DIRECTORY);
  const { uid, gid, mode } = await directory.stat();
  await made.chown(uid, gid);
  await made.chmod(mode & PERMISSIONS);
  return made;
};

const ifAbsent = (error: NodeJS.ErrnoException): null => {
  if (error.code === "ENOENT") return null;
  throw error;
};

const blocked = (path: string, reason: string): TerminalError =>
  new TerminalError(`${path} can't be placed: ${reason}`, {
    code: "path-blocked",
    data: { reason },
  });
