/**
 * The volumes that the benchmarks measure, made from a seed: the same seed gives the same bytes. A
 * database with rows of 8 KiB, and many small files of text and of noise, as applications have them.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const ROW_BYTES = 8_192;
const FILES_PER_DIRECTORY = 250;
const FILE_BYTES_MIN = 2_000;
const FILE_BYTES_MAX = 60_000;

/** xorshift32: small, fast, and the same everywhere. */
export const openRandom = (seed: number) => {
  let state = seed * 2_654_435_761 + 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return {
    below: (bound: number): number => next() % bound,
    fill: (bytes: Buffer): Buffer => {
      for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.writeUInt32LE(next(), at);
      return bytes;
    },
  };
};
export type Random = ReturnType<typeof openRandom>;

const WORDS = "the volume travels with its container and nobody waits for it to arrive".split(" ");

const textOf = (bytes: number, random: Random): Buffer => {
  const text = Buffer.alloc(bytes, 0x20);
  for (let at = 0; at < bytes; ) {
    const word = WORDS[random.below(WORDS.length)] ?? "";
    at += text.write(`${word}${random.below(1_000)} `, at, "latin1") || bytes;
  }
  return text;
};

/** `count` files of 2 to 60 KB, three quarters of them text. */
export const makeFiles = (directory: string, count: number, seed: number): void => {
  const random = openRandom(seed);
  for (let i = 0; i < count; i += 1) {
    const parent = join(directory, `d${Math.floor(i / FILES_PER_DIRECTORY)}`);
    if (i % FILES_PER_DIRECTORY === 0) mkdirSync(parent, { recursive: true });
    const bytes = FILE_BYTES_MIN + random.below(FILE_BYTES_MAX - FILE_BYTES_MIN);
    const body = i % 4 === 0 ? random.fill(Buffer.alloc(bytes)) : textOf(bytes, random);
    writeFileSync(join(parent, `f${i}`), body);
  }
};

/** `count` tiny files, for what depends on their number alone. */
export const makeTinyFiles = (directory: string, count: number): void => {
  const perDirectory = 1_000;
  for (let i = 0; i < count; i += 1) {
    const parent = join(directory, `d${Math.floor(i / perDirectory)}`);
    if (i % perDirectory === 0) mkdirSync(parent, { recursive: true });
    writeFileSync(join(parent, `file-${i}.txt`), `${i}\n`);
  }
};

/** A database of `rows` rows, each with 8 KiB of noise. */
export const makeDatabase = (file: string, rows: number, seed: number): void => {
  const random = openRandom(seed);
  const database = new DatabaseSync(file);
  database.exec("PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
  database.exec("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL); BEGIN");
  const insert = database.prepare("INSERT INTO rows VALUES (?, ?)");
  for (let id = 1; id <= rows; id += 1) insert.run(id, random.fill(Buffer.alloc(ROW_BYTES)));
  database.exec("COMMIT");
  database.close();
};

/** Rewrites `changes` rows chosen at random, in one transaction. */
export const updateRows = (file: string, rows: number, changes: number, seed: number): void => {
  const random = openRandom(seed);
  const database = new DatabaseSync(file);
  database.exec("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; BEGIN");
  const update = database.prepare("UPDATE rows SET body = ? WHERE id = ?");
  for (let i = 0; i < changes; i += 1) {
    update.run(random.fill(Buffer.alloc(ROW_BYTES)), 1 + random.below(rows));
  }
  database.exec("COMMIT");
  database.close();
};
