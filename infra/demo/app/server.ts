/**
 * The demonstration's application: notes and uploads, all of its state in one volume.
 * GET / tells version and host; GET and POST /notes; GET and PUT /files/NAME; GET /health.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { hostname } from "node:os";
import { pipeline } from "node:stream/promises";
import { readJson, reply, serve } from "./http.ts";
import { type Notes, openNotes } from "./notes.ts";
import { isUploadName, listUploads, openUpload, storeUpload } from "./uploads.ts";

const DATA = "/var/lib/data";
const UPLOADS = `${DATA}/uploads`;
/** The tag it was built for: "1", "2", or "bad", which migrates like 2 and is never healthy. */
const VERSION = process.env["APP_VERSION"] ?? "1";
const SCHEMA_VERSION = VERSION === "1" ? 1 : 2;

const showFrontPage = async (notes: Notes, response: ServerResponse) => {
  const { schemaVersion } = notes;
  const noteCount = notes.list().length;
  const uploadCount = (await listUploads(UPLOADS)).length;
  const version = `v${VERSION}`;
  reply(response, 200, { version, host: hostname(), schemaVersion, noteCount, uploadCount });
};

const addNote = async (notes: Notes, request: IncomingMessage, response: ServerResponse) => {
  const { text } = await readJson(request);
  if (typeof text !== "string") return reply(response, 400, { error: "text is missing" });
  return reply(response, 201, { id: notes.add(text) });
};

const transferFile = async (name: string, request: IncomingMessage, response: ServerResponse) => {
  if (!isUploadName(name)) return reply(response, 400, { error: "not a file name" });
  if (request.method === "PUT") {
    await storeUpload(UPLOADS, name, request);
    return reply(response, 201, { name });
  }
  const file = await openUpload(UPLOADS, name).catch(() => undefined);
  if (file === undefined) return reply(response, 404, { error: "no such file" });
  response.writeHead(200, { "content-type": "application/octet-stream" });
  return pipeline(file, response);
};

const notes = openNotes(`${DATA}/app.db`, SCHEMA_VERSION, hostname());

serve(
  async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    switch (`${request.method} ${pathname}`) {
      case "GET /":
        return showFrontPage(notes, response);
      case "GET /health":
        return reply(response, VERSION === "bad" ? 500 : 200, { healthy: VERSION !== "bad" });
      case "GET /notes":
        return reply(response, 200, notes.list());
      case "POST /notes":
        return addNote(notes, request, response);
    }
    const [, folder, name = ""] = pathname.split("/");
    if (folder === "files") return transferFile(name, request, response);
    return reply(response, 404, { error: "no such page" });
  },
  () => notes.close(),
);
