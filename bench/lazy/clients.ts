/** What an application does with a volume, timed: queries and updates of its database, reads of its files. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openRandom, updateRows } from "../make-volume.ts";

const DATABASE = "app.db";

/** Milliseconds until the first row is there, from the opening of the database on. */
export const firstQuery = (directory: string, rows: number): number => {
  const began = performance.now();
  query(directory, [Math.ceil(rows / 2)]);
  return performance.now() - began;
};

/** Milliseconds that so many queries of random rows take. */
export const queries = (directory: string, rows: number, count: number, seed: number): number => {
  const random = openRandom(seed);
  const ids = Array.from({ length: count }, () => 1 + random.below(rows));
  const began = performance.now();
  query(directory, ids);
  return performance.now() - began;
};

const query = (directory: string, ids: readonly number[]): void => {
  const database = new DatabaseSync(join(directory, DATABASE), { readOnly: true });
  const select = database.prepare("SELECT length(body) AS bytes FROM rows WHERE id = ?");
  for (const id of ids) {
    if (select.get(id)?.["bytes"] !== ROW_BYTES) throw new Error(`row ${id} is not whole`);
  }
  database.close();
};

const ROW_BYTES = 8_192;

/** Milliseconds that so many transactions of one row each take, synced. */
export const updates = (directory: string, rows: number, count: number, seed: number): number => {
  const began = performance.now();
  for (let i = 0; i < count; i += 1) updateRows(join(directory, DATABASE), rows, 1, seed + i);
  return performance.now() - began;
};

/** Milliseconds to read every small file once. */
export const readFiles = (directory: string): number => {
  const began = performance.now();
  const root = join(directory, "files");
  for (const parent of readdirSync(root)) {
    for (const name of readdirSync(join(root, parent))) readFileSync(join(root, parent, name));
  }
  return performance.now() - began;
};
