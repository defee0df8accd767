/**
 * A small image registry, as much of the distribution API as an engine needs to pull. Run as a
 * program in a node's network namespace, where the engine takes plain HTTP on loopback. Prints its
 * port. `POST /publish` makes a new image the latest of `team/app`. With the argument `login` it
 * serves only bot, whose password is pass.
 * https://distribution.github.io/distribution/spec/api/
 */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json";
const LOGIN = `Basic ${Buffer.from("bot:pass").toString("base64")}`;
const LAYER_BYTES = 3_000_000;

const wantsLogin = process.argv.includes("login");
const blobs = new Map<string, Buffer>();
const tags = new Map<string, string>();

const digestOf = (bytes: Buffer): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const keep = (bytes: Buffer): string => {
  const digest = digestOf(bytes);
  blobs.set(digest, bytes);
  return digest;
};

/** One layer with one file that no other image has. */
const publish = (): void => {
  const directory = mkdtempSync(join(tmpdir(), "image-registry-"));
  writeFileSync(join(directory, "content"), randomBytes(LAYER_BYTES));
  const layer = execFileSync("tar", ["-C", directory, "-cz", "content"], { maxBuffer: 1 << 26 });
  rmSync(directory, { recursive: true });
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      os: "linux",
      config: { Cmd: ["/none"] },
      rootfs: { type: "layers", diff_ids: [digestOf(gunzipSync(layer))] },
      history: [{ created_by: "test" }],
    }),
  );
  const descriptor = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    size: bytes.length,
    digest: keep(bytes),
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: descriptor("application/vnd.docker.container.image.v1+json", config),
      layers: [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
    }),
  );
  tags.set("latest", keep(manifest));
};

const refuse = (response: ServerResponse, status: number, code: string): void => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }));
};

publish();
const server = createServer((request, response) => {
  const path = request.url ?? "/";
  response.setHeader("Docker-Distribution-Api-Version", "registry/2.0");
  if (path === "/publish") {
    publish();
    return void response.end();
  }
  if (wantsLogin && request.headers.authorization !== LOGIN) {
    response.setHeader("www-authenticate", 'Basic realm="registry"');
    return refuse(response, 401, "UNAUTHORIZED");
  }
  if (path === "/v2/") return void response.end("{}");
  const [, name, kind, reference = ""] =
    /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
  const digest = kind === "manifests" ? (tags.get(reference) ?? reference) : reference;
  const bytes = name === "team/app" ? blobs.get(digest) : undefined;
  if (bytes === undefined) return refuse(response, 404, "MANIFEST_UNKNOWN");
  response.writeHead(200, {
    "content-type": kind === "manifests" ? MANIFEST_TYPE : "application/octet-stream",
    "content-length": bytes.length,
    "docker-content-digest": digest,
  });
  response.end(request.method === "HEAD" ? undefined : bytes);
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  console.log(typeof address === "object" ? address?.port : address);
});
