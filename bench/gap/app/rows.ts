/**
 * An SQLite application of any size: one table of rows of 8 KiB. POST /fill?bytes=N grows it,
 * POST /update?rows=K&n=N changes K rows at random and notes N in the same transaction; its answer is
 * sent after the commit, which is on disk then. GET /noted lists every N that was ever committed.
 */
import { randomFillSync } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import { DatabaseSync } from "node:sqlite";

const ROW_BYTES = 8_000;
const ROWS_A_TRANSACTION = 2_000;
const PORT = 8080;

const database = new DatabaseSync("/var/lib/data/rows.db");
database.exec(`PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS noted (n INTEGER PRIMARY KEY)`);
const insertRow = database.prepare("INSERT INTO rows (body) VALUES (?)");
const updateRow = database.prepare("UPDATE rows SET body = ? WHERE id = ?");
const note = database.prepare("INSERT INTO noted (n) VALUES (?)");
// Not counted: that would read the whole table, and make a start as slow as the volume is large.
const lastRow = database.prepare("SELECT max(id) AS id FROM rows");

const randomBody = (): Buffer => randomFillSync(Buffer.allocUnsafe(ROW_BYTES));
let rowCount = Number(lastRow.get()?.["id"] ?? 0);

const transact = (work: () => void): void => {
  database.exec("BEGIN IMMEDIATE");
  work();
  database.exec("COMMIT");
};

const fill = (bytes: number): void => {
  const wanted = Math.ceil(bytes / ROW_BYTES);
  while (rowCount < wanted) {
    const count = Math.min(ROWS_A_TRANSACTION, wanted - rowCount);
    transact(() => {
      for (let i = 0; i < count; i += 1) insertRow.run(randomBody());
    });
    rowCount += count;
  }
};

const update = (rows: number, n: number): void =>
  transact(() => {
    for (let i = 0; i < rows; i += 1) {
      updateRow.run(randomBody(), 1 + Math.floor(Math.random() * rowCount));
    }
    note.run(n);
  });

const reply = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
};

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  const number = (name: string) => Number(searchParams.get(name));
  switch (`${request.method} ${pathname}`) {
    case "POST /fill":
      fill(number("bytes"));
      return reply(response, 201, { rowCount });
    case "POST /update":
      update(number("rows"), number("n"));
      return reply(response, 201, { n: number("n") });
    case "GET /noted":
      return reply(
        response,
        200,
        database
          .prepare("SELECT n FROM noted")
          .all()
          .map(({ n }) => n),
      );
    default:
      return reply(response, pathname === "/health" ? 200 : 404, {});
  }
});
server.listen(PORT);
process.once("SIGTERM", () => {
  server.close(() => {
    database.close();
    process.exit(0);
  });
  server.closeAllConnections();
});
