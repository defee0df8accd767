/** Small files that survive a crash: replaced as a whole, synced before they count. */
import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type * as z from "zod";
import { TerminalError } from "../volume/errors.ts";

const syncDirectory = async (path: string): Promise<void> => {
  const directory = await open(path, "r");
  await directory.sync().finally(() => directory.close());
};

/** Temporary file, fsync, rename, fsync of the directory: old or new content, never a mixture. */
export const writeFileDurably = async (path: string, body: string | Uint8Array): Promise<void> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomUUID()}`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(body);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    // A full disk must not fill up further with drafts.
    await rm(draft, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
};

/** The file's content through its schema, or null when there is no such file. */
export const readJsonFile = async <T extends z.ZodType>(
  path: string,
  schema: T,
): Promise<z.infer<T> | null> => {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new TerminalError(`${path} is damaged`, {
      code: "local-file-damaged",
      hint: "move it away; the node then refuses to start what it can't prove to own",
      cause,
    });
  }
};
