/**
 * What the kernel does with the promises of a volume: a filler that dies while somebody waits, and
 * files that are cut while they are filled. Rows count what an application saw that was not its data.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Row } from "../bench.ts";
import type { LazyRequest } from "./lazy-request.ts";
import { runLazy } from "./run-lazy.ts";

type Place = Omit<LazyRequest, "fills"> & { readonly at: (name: string) => string };

const READ_BYTES = 65_536;
/** For a reader to reach the kernel and wait there. */
const READER = `const fs = require("node:fs");
const fd = fs.openSync(process.argv[1], "r");
process.stdout.write("reading\\n");
const bytes = Buffer.alloc(${READ_BYTES}, 1);
fs.readSync(fd, bytes, 0, bytes.length, 0);
process.stdout.write(String(bytes.filter((b) => b === 0).length));`;

export const checkPromises = async (place: Place): Promise<Row[]> => {
  const zeros = await dieWhileReading(place);
  const unseen = await cutUnseen(place.at("cut"));
  const row = { on: "ext4", unit: "count", target: null } as const;
  return [
    {
      ...{ ...row, work: "bytes of zeros read as data after the filler was killed" },
      ...{ ours: zeros, peer: "bytes read", theirs: READ_BYTES, ratio: zeros / READ_BYTES },
    },
    {
      ...{ ...row, work: "ways to cut a file that no event tells apart from a read" },
      ...{ ours: unseen.hidden, peer: "ways tried", theirs: unseen.tried },
      ratio: unseen.hidden / unseen.tried,
    },
  ];
};

/** How many bytes of zeros the reader got of a file that has hardly any. */
const dieWhileReading = async ({ at, ...request }: Place): Promise<number> => {
  mkdirSync(request.directory);
  const { s3, prefix, snapshotId, directory } = request;
  const run = runLazy(
    { s3, prefix, snapshotId, directory, fills: false },
    at("promises-request.json"),
  );
  try {
    await run.next("ready");
    const file = join(directory, "app.db");
    if (statSync(file).blocks !== 0) throw new Error("the file is not empty");
    const reader = spawn(process.execPath, ["-e", READER, file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    reader.stdout.on("data", (data: Buffer) => {
      said += data.toString();
    });
    await once(reader.stdout, "data");
    const ended = once(reader, "close");
    await run.kill();
    await ended;
    return Number(said.split("\n")[1]);
  } finally {
    await run.kill();
  }
};

const FILE_BYTES = 2 ** 20;
const PAGE_BYTES = 4_096;
const WATCH = fileURLToPath(new URL("watch-child.ts", import.meta.url));
/** What the kernel says before a file grows to its full size: the end of what a way sounds like. */
const GROWN = `${FILE_BYTES} 0`;

type Way = (path: string) => void;
const readPage: Way = (path) => {
  const fd = openSync(path, "r");
  readSync(fd, Buffer.alloc(PAGE_BYTES), 0, PAGE_BYTES, PAGE_BYTES);
  closeSync(fd);
};
const CUTS: readonly Way[] = [
  (path) => truncateSync(path, 2 * PAGE_BYTES),
  (path) => truncateSync(path, PAGE_BYTES + 904),
  (path) => closeSync(openSync(path, "w")),
];

/** Cuts of which nothing is heard, or what a read of a page sounds like. */
const cutUnseen = async (directory: string): Promise<{ hidden: number; tried: number }> => {
  mkdirSync(directory);
  const path = join(directory, "file");
  writeFileSync(path, Buffer.alloc(FILE_BYTES, 1));
  const child = spawn(process.execPath, [WATCH, path], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const sound = async (way: Way): Promise<string> => {
    way(path);
    truncateSync(path, FILE_BYTES);
    const heard: string[] = [];
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) throw new Error("the watch ended");
      if (value === GROWN) return heard.join(", ");
      heard.push(value);
    }
  };
  try {
    await lines.next();
    const read = await sound(readPage);
    if (read === "") throw new Error("a read raised no event");
    let hidden = 0;
    for (const cut of CUTS) if (["", read].includes(await sound(cut))) hidden += 1;
    return { hidden, tried: CUTS.length };
  } finally {
    child.kill("SIGKILL");
  }
};
