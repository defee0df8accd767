/**
 * A directory as the object store, for one machine and for tests. Each object is a file that appears
 * whole: written beside, fsynced, then linked (create once) or renamed (replace) into its place.
 */
import { randomUUID } from "node:crypto";
import { constants, type Dirent } from "node:fs";
import { type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import { RetryableError, TerminalError } from "../volume/errors.ts";
import type { ObjectInfo, ObjectStore, PutOutcome } from "../volume/object-store.ts";

export interface DirectoryStoreOptions {
  /** Created when it is not there. Everything in it belongs to the store. */
  readonly directory: string;
}

/** Not the form of any encoded key, so a half-written body is never mistaken for an object. */
const DRAFTS = ".drafts";
/** Names an object's file, so that `a` and `a/b` can both be objects. */
const OBJECT_SUFFIX = "=";
const NAME_BYTES_MAX = 255;
const DELETES_AT_ONCE = 16;

/**
 * Opens (and makes) the store. Keys may hold any text; a component longer than 250 bytes once encoded
 * is refused. Errors of the disk become RetryableError (full, too many files) or TerminalError.
 */
export const openDirectoryObjectStore = ({ directory }: DirectoryStoreOptions): ObjectStore => {
  const pathOf = (key: string): string => join(directory, encodeKey(key));
  return {
    put: (key, body, { ifAbsent = false }, signal) =>
      translated(key, () => put(directory, pathOf(key), body, ifAbsent, signal)),
    get: (key, signal, range) =>
      translated(key, async () => {
        signal.throwIfAborted();
        const file = await openOrNull(pathOf(key));
        if (file === null) return null;
        try {
          const { size } = await file.stat();
          const offset = Math.min(range?.offset ?? 0, size);
          const body = Buffer.allocUnsafe(Math.min(range?.length ?? size, size - offset));
          return body.subarray(0, await readFully(file, body, offset, signal));
        } finally {
          await file.close();
        }
      }),
    head: (key, signal) =>
      translated(key, async () => {
        signal.throwIfAborted();
        const found = await stat(pathOf(key)).catch(absentAsNull);
        return found === null || !found.isFile() ? null : { key, bytes: found.size };
      }),
    list: (prefix, signal) => list(directory, prefix, signal),
    listFolders: (prefix, signal) =>
      translated(prefix, async () => {
        signal.throwIfAborted();
        const found = await readFolder(directory, prefix);
        const folders = found.filter((entry) => entry.isDirectory());
        return folders.map(({ name }) => decodeName(name)).sort();
      }),
    delete: (keys, signal) =>
      translated(keys[0] ?? "", async () => {
        const limit = pLimit(DELETES_AT_ONCE);
        const remove = async (key: string): Promise<void> => {
          signal.throwIfAborted();
          await rm(pathOf(key)).catch(absentAsNull);
        };
        await Promise.all(keys.map((key) => limit(() => remove(key))));
      }),
  };
};

const put = async (
  root: string,
  path: string,
  body: Uint8Array,
  ifAbsent: boolean,
  signal: AbortSignal,
): Promise<PutOutcome> => {
  signal.throwIfAborted();
  const drafts = join(root, DRAFTS);
  const parent = join(path, "..");
  await mkdir(drafts, { recursive: true });
  await makeDirectories(root, parent);
  const draft = join(drafts, randomUUID());
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(body, { signal });
    await file.sync();
    await file.close();
    if (ifAbsent) await link(draft, path);
    else await rename(draft, path);
  } catch (error) {
    await file.close();
    if (codeOf(error) === "EEXIST") return "exists";
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
  await syncDirectory(parent);
  return "stored";
};

/** New directories are made durable in their parents: an object in a lost directory is lost. */
const makeDirectories = async (root: string, path: string): Promise<void> => {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= root.length; made = join(made, "..")) {
    await syncDirectory(join(made, ".."));
    if (made === first) return;
  }
};

const syncDirectory = async (path: string): Promise<void> => {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
};

const readFully = async (
  file: FileHandle,
  body: Buffer,
  offset: number,
  signal: AbortSignal,
): Promise<number> => {
  let done = 0;
  while (done < body.length) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(body, done, body.length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
};

/** What stands right below; nothing where there is no such folder. */
const readFolder = async (root: string, above: string): Promise<Dirent[]> => {
  const directory = above === "" ? root : join(root, encodeDirectories(above));
  const entries = await readdir(directory, { withFileTypes: true }).catch(absentAsNull);
  return (entries ?? []).filter(({ name }) => name !== DRAFTS);
};

/** Keys in bytewise order: siblings are sorted as the keys that they lead to. */
async function* list(
  root: string,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<ObjectInfo> {
  const start = prefix.lastIndexOf("/") + 1;
  yield* listBelow(root, prefix.slice(0, start), prefix, signal);
}

async function* listBelow(
  root: string,
  above: string,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<ObjectInfo> {
  signal.throwIfAborted();
  const entries = await readFolder(root, above);
  const children = entries
    .map((entry) =>
      entry.isDirectory()
        ? { key: `${above}${decodeName(entry.name)}/`, file: null }
        : {
            key: `${above}${decodeName(entry.name.slice(0, -OBJECT_SUFFIX.length))}`,
            file: join(entry.parentPath, entry.name),
          },
    )
    .filter(({ key }) => key.startsWith(prefix) || prefix.startsWith(key))
    .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  for (const { key, file } of children) {
    if (file === null) {
      yield* listBelow(root, key, prefix, signal);
    } else if (key.startsWith(prefix)) {
      const found = await stat(file).catch(absentAsNull);
      if (found === null) continue;
      yield { key, bytes: found.size, ageMs: Math.max(0, Date.now() - found.mtimeMs) };
    }
  }
}

/** Each component percent-encoded where a file name could not hold it; objects end with `=`. */
const encodeKey = (key: string): string => {
  const encoded = `${key.split("/").map(encodeName).join("/")}${OBJECT_SUFFIX}`;
  if (encoded.split("/").some((name) => Buffer.byteLength(name) > NAME_BYTES_MAX)) {
    throw new TerminalError(`the key ${key.slice(0, 80)}… is too long for a directory store`, {
      code: "store-key-too-long",
    });
  }
  return encoded;
};

const encodeDirectories = (above: string): string =>
  above.slice(0, -1).split("/").map(encodeName).join("/");

/** Upper case, a leading dot and an empty component are encoded too: file systems differ on them. */
const encodeName = (name: string): string =>
  name === ""
    ? "%"
    : Buffer.from(name)
        .toString("latin1")
        .replaceAll(
          /[^a-zA-Z0-9._-]|^\./g,
          (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
        );

const decodeName = (name: string): string =>
  name === "%"
    ? ""
    : Buffer.from(
        name.replaceAll(/%([0-9a-f]{2})/g, (_, hex: string) =>
          String.fromCharCode(Number.parseInt(hex, 16)),
        ),
        "latin1",
      ).toString("utf8");

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;

const ABSENT = new Set(["ENOENT", "ENOTDIR"]);

const absentAsNull = (error: unknown): null => {
  if (ABSENT.has(codeOf(error) ?? "")) return null;
  throw error;
};

const openOrNull = async (path: string): Promise<FileHandle | null> => {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(absentAsNull);
  return file;
};

/** What another try, after someone made room, may cure. */
const PASSING = new Set(["ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EAGAIN", "EIO", "EBUSY"]);

const translated = async <T>(key: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (cause) {
    const code = codeOf(cause);
    if (code === undefined || code === "ABORT_ERR" || cause instanceof TerminalError) throw cause;
    const message = `directory store, ${key}: ${code}`;
    if (PASSING.has(code)) {
      throw new RetryableError(message, {
        code: "store-unavailable",
        hint: "check the free space and the health of the store's disk",
        cause,
      });
    }
    throw new TerminalError(message, { code: "store-failed", cause });
  }
};
