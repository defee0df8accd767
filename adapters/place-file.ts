/**
 * Writes files from elsewhere into a directory that an application may have filled as it liked: no
 * link in it leads out, and a file appears as a whole or not at all.
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { sha256 } from "../volume/digest.ts";
import { TerminalError } from "../volume/errors.ts";
import { throughFd } from "../volume/scan/walk.ts";

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
  const reason = whyNoPath(path);
  if (reason !== null) throw blocked(path, reason);
  const parts = path.split("/");
  const name = parts.pop() ?? "";
  const parent = await openParent(root, parts, path);
  try {
    await writeInto(parent, { name, path, body, mtimeMs });
  } finally {
    await parent.close();
  }
};

const writeInto = async (
  parent: FileHandle,
  { name, path, body, mtimeMs }: FileToPlace & { readonly name: string },
): Promise<void> => {
  const final = throughFd(parent.fd, Buffer.from(name));
  const draft = throughFd(parent.fd, Buffer.from(`.bagage-${sha256(name)}`));
  // Of a try that a crash ended: the name is the same, so that it does not stay for ever.
  await rm(draft, { force: true });
  const there = await lstat(final).catch(ifAbsent);
  if (there !== null && !there.isFile()) throw blocked(path, "something else has its name");
  const like = there ?? (await parent.stat());
  const file = await open(draft, CREATE, PRIVATE_MODE);
  try {
    for await (const chunk of body) await file.writeFile(chunk);
    await file.chown(like.uid, like.gid);
    await file.chmod(like.mode & (there === null ? READ_WRITE : PERMISSIONS));
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
