/**
 * The notes: an SQLite database in the volume. A note that was answered with its id is on disk.
 * Version 2 of the application adds a column, so that a deploy also migrates data; version 1
 * refuses a database that version 2 has touched, as real applications do.
 */
import { DatabaseSync } from "node:sqlite";

export interface Note {
  readonly id: number;
  readonly text: string;
  readonly createdAt: string;
  /** The host that took it; only from version 2 on, null for older notes. */
  readonly writtenBy?: string | null;
}

export interface Notes {
  readonly schemaVersion: number;
  add(text: string): number;
  list(): readonly Note[];
  close(): void;
}

/** Entry n brings the database from version n to n + 1. */
const MIGRATIONS = [
  `CREATE TABLE notes (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     text TEXT NOT NULL,
     createdAt TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ'))
   )`,
  "ALTER TABLE notes ADD COLUMN writtenBy TEXT",
];

/** Opens the database at `path`, made or migrated to `schemaVersion` in one transaction. */
export const openNotes = (path: string, schemaVersion: number, hostName: string): Notes => {
  const database = new DatabaseSync(path);
  // FULL: SQLite calls fsync on the log before a transaction is answered, not only at checkpoints.
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  migrate(database, schemaVersion);
  const insert =
    schemaVersion >= 2
      ? database.prepare("INSERT INTO notes (text, writtenBy) VALUES (:text, :hostName)")
      : database.prepare("INSERT INTO notes (text) VALUES (:text)");
  const select = database.prepare("SELECT * FROM notes ORDER BY id");
  return {
    schemaVersion,
    add: (text) => {
      const values = schemaVersion >= 2 ? { text, hostName } : { text };
      return Number(insert.run(values).lastInsertRowid);
    },
    list: () => select.all() as unknown as readonly Note[],
    close: () => database.close(),
  };
};

const migrate = (database: DatabaseSync, wanted: number): void => {
  const row = database.prepare("PRAGMA user_version").get();
  const found = Number(row?.["user_version"]);
  if (found > wanted) {
    throw new Error(`The database has schema ${found}; this version knows ${wanted} at most`);
  }
  database.exec("BEGIN IMMEDIATE");
  for (const step of MIGRATIONS.slice(found, wanted)) database.exec(step);
  database.exec(`PRAGMA user_version = ${wanted}`);
  database.exec("COMMIT");
};
