/**
 * A log of numbered records for tests that look for lost writes: a record is answered only when it
 * is on disk, so every answered number must be found again, whatever happened to the node.
 */
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "./uploads.ts";

export interface AppendLog {
  append(n: number): Promise<void>;
  records(): Promise<readonly number[]>;
  close(): Promise<void>;
}

/** Opens the log; a last line without its end was never answered, and is cut off. */
export const openAppendLog = async (path: string): Promise<AppendLog> => {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "a+");
  await cutUnfinishedLine(file, path);
  await syncDirectory(dirname(path));
  let last: Promise<void> = Promise.resolve();
  const append = async (n: number) => {
    await file.write(`${n}\n`);
    await file.datasync();
  };
  return {
    // One after the other: two appends at once could mix their bytes.
    append: (n) => {
      last = last.catch(() => undefined).then(() => append(n));
      return last;
    },
    records: async () => (await readFile(path, "utf8")).split("\n").filter(Boolean).map(Number),
    close: async () => {
      await last.catch(() => undefined);
      await file.close();
    },
  };
};

const cutUnfinishedLine = async (file: FileHandle, path: string): Promise<void> => {
  const bytes = await readFile(path);
  const end = bytes.lastIndexOf(0x0a) + 1;
  if (end < bytes.length) await file.truncate(end);
};
