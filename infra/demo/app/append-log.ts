/**
 * A log of numbered records for tests that look for lost writes: a record is answered only when it
 * is on disk, so every answered number must be found again, whatever happened to the node. Each
 * process that opens the log says so in it, so that the log tells whose turn it was.
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "./uploads.ts";

export interface LogLine {
  /** Null: the line by which the instance began. */
  readonly n: number | null;
  readonly instance: string;
}

export interface AppendLog {
  /** Names this process; another one has another name. */
  readonly instance: string;
  append(n: number): Promise<void>;
  records(): Promise<readonly number[]>;
  lines(): Promise<readonly LogLine[]>;
  close(): Promise<void>;
}

const BEGIN = "begin";

/** Opens the log; a last line without its end was never answered, and is cut off. */
export const openAppendLog = async (path: string): Promise<AppendLog> => {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "a+");
  await cutUnfinishedLine(file, path);
  await syncDirectory(dirname(path));
  const instance = randomBytes(6).toString("hex");
  let last: Promise<void> = Promise.resolve();
  const write = async (line: string) => {
    const { size } = await file.stat();
    try {
      await file.write(`${line} ${instance}\n`);
      await file.datasync();
    } catch (error) {
      // Half a line of a full disk must not become the beginning of the next one.
      await file.truncate(size);
      throw error;
    }
  };
  // One after the other: two appends at once could mix their bytes.
  const append = (line: string): Promise<void> => {
    last = last.catch(() => undefined).then(() => write(line));
    return last;
  };
  const lines = async (): Promise<LogLine[]> => parseAppendLog(await readFile(path, "utf8"));
  await append(BEGIN);
  return {
    instance,
    append: (n) => append(String(n)),
    records: async () => (await lines()).flatMap(({ n }) => (n === null ? [] : [n])),
    lines,
    close: async () => {
      await last.catch(() => undefined);
      await file.close();
    },
  };
};

export const parseAppendLog = (text: string): LogLine[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const [n, by = ""] = line.split(" ");
      return { n: n === BEGIN ? null : Number(n), instance: by };
    });

const cutUnfinishedLine = async (file: FileHandle, path: string): Promise<void> => {
  const bytes = await readFile(path);
  const end = bytes.lastIndexOf(0x0a) + 1;
  if (end < bytes.length) await file.truncate(end);
};
