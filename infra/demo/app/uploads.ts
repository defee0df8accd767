/**
 * The uploads: plain files in the volume. An upload that was answered is on disk, with its name:
 * the file is synced before it gets its name, and the directory after it.
 */
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

export const isUploadName = (name: string): boolean => NAME.test(name);

export const storeUpload = async (directory: string, name: string, body: Readable) => {
  await mkdir(directory, { recursive: true });
  const draft = join(directory, `.${name}.${process.hrtime.bigint()}.part`);
  try {
    const file = await open(draft, "wx");
    try {
      await file.writeFile(body);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, join(directory, name));
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncDirectory(directory);
};

export const listUploads = async (directory: string): Promise<string[]> => {
  await mkdir(directory, { recursive: true });
  return (await readdir(directory)).filter(isUploadName).sort();
};

/** Rejects with ENOENT when there is no such upload. */
export const openUpload = async (directory: string, name: string): Promise<Readable> => {
  const stream = createReadStream(join(directory, name));
  await new Promise((resolve, reject) => stream.once("open", resolve).once("error", reject));
  return stream;
};

export const syncDirectory = async (directory: string): Promise<void> => {
  const handle = await open(directory, "r");
  await handle.sync();
  await handle.close();
};
