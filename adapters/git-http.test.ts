// biome-ignore-all lint/style/noProcessEnv: git is found by PATH.
/** The way over HTTP, against git's own server side on loopback. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { CommitId } from "../workflows/ids.ts";
import { createGitOverHttp } from "./git-over-http.ts";
import { createGitSource, type GitSourceOptions } from "./git-source.ts";

const signal = AbortSignal.timeout(60_000);
const MAIN = "refs/heads/main";
const servers: Server[] = [];
let root = "";
let head = "";

const git = (cwd: string, ...args: string[]): string =>
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example", ...args], {
    cwd,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], HOME: root },
  }).trim();

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "git-http-"));
  const work = join(root, "work");
  git(root, "init", "-q", "-b", "main", work);
  writeFileSync(join(work, "Deliverous"), "by http");
  git(work, "add", "-A");
  git(work, "commit", "-q", "-m", "served");
  head = git(work, "rev-parse", "HEAD");
  git(root, "clone", "-q", "--bare", work, "a.git");
  git(join(root, "a.git"), "config", "uploadpack.allowFilter", "true");
});
afterAll(() => rmSync(root, { recursive: true }));
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** `git http-backend` behind Node, as a CGI program. */
const backend: RequestListener = (request, response) => {
  const url = new URL(request.url ?? "/", "http://x");
  const cgi = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env["PATH"],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
    },
  });
  request.pipe(cgi.stdin);
  const chunks: Buffer[] = [];
  cgi.stdout.on("data", (chunk) => chunks.push(chunk));
  cgi.once("close", () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf("\r\n\r\n");
    for (const line of answer.subarray(0, end).toString().split("\r\n")) {
      const [name = "", value = ""] = line.split(": ");
      if (name === "Status") response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.end(answer.subarray(end + 4));
  });
};

const listen = async (server: Server): Promise<number> => {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

const serve = (listener: RequestListener) => listen(createServer(listener));

const resolve = (repository: string, options: Partial<GitSourceOptions> = {}) =>
  createGitSource({
    workDirectory: join(root, "visits"),
    policy: { allowLocalRepositories: false, allowPrivateNetworks: true },
    ...options,
  }).resolve({ repository, ref: MAIN, commit: undefined, file: "Deliverous" }, signal);

const SERVED = () => ({
  commit: head as CommitId,
  subject: "served",
  file: Buffer.from("by http"),
});

test("a repository is read over HTTP", async () => {
  const port = await serve(backend);
  expect(await resolve(`http://127.0.0.1:${port}/a.git`)).toEqual(SERVED());
});

test("a name is connected to by the address that was judged, whatever the resolver says later", async () => {
  const hosts = new Set<string | undefined>();
  const port = await serve((request, response) => {
    hosts.add(request.headers.host);
    backend(request, response);
  });
  const asked: string[] = [];
  // No name server knows this name: without the pin git could not connect at all.
  const repository = `http://git.internal.invalid:${port}/a.git`;
  const resolveHost = async (host: string) => {
    asked.push(host);
    return ["127.0.0.1"];
  };
  expect(await resolve(repository, { resolveHost })).toEqual(SERVED());
  expect(asked).toEqual(["git.internal.invalid"]);
  expect([...hosts]).toEqual([`git.internal.invalid:${port}`]);
});

test("47: a name with one private address among public ones is refused", async () => {
  const policy = { allowLocalRepositories: false, allowPrivateNetworks: false };
  for (const address of ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "::ffff:10.0.0.1"]) {
    const resolveHost = async () => ["140.82.121.3", address];
    await expect(
      resolve("https://rebound.example/a.git", { policy, resolveHost }),
    ).rejects.toMatchObject({ name: "TerminalError", code: "repository-refused" });
  }
});

test("47: a redirect is not followed", async () => {
  let isReached = false;
  const inner = await serve((request, response) => {
    isReached = true;
    backend(request, response);
  });
  const outer = await serve((request, response) => {
    response.writeHead(302, { location: `http://127.0.0.1:${inner}${request.url}` }).end();
  });
  await expect(resolve(`http://127.0.0.1:${outer}/a.git`)).rejects.toMatchObject({
    name: "TerminalError",
    code: "repository-moved",
  });
  expect(isReached).toBe(false);
});

test("credentials go to their repository; without them it is denied, without a prompt", async () => {
  const expected = `Basic ${Buffer.from("bot:pa:ss").toString("base64")}`;
  const port = await serve((request, response) => {
    if (request.headers.authorization === expected) backend(request, response);
    else response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
  });
  const repository = `http://127.0.0.1:${port}/a.git`;
  const credentialsFor = async (wanted: string) =>
    wanted === repository ? ({ kind: "token", username: "bot", password: "pa:ss" } as const) : null;
  expect(await resolve(repository, { credentialsFor })).toEqual(SERVED());
  await expect(resolve(repository)).rejects.toMatchObject({
    name: "TerminalError",
    code: "repository-denied",
  });
});

test("53: no error holds the credentials", async () => {
  const port = await serve((_request, response) => response.writeHead(500).end("no"));
  const credentialsFor = async () =>
    ({ kind: "token", username: "bot", password: "hunter22hunter22" }) as const;
  const error: unknown = await resolve(`http://127.0.0.1:${port}/a.git`, { credentialsFor }).catch(
    (caught: unknown) => caught,
  );
  expect(error).toMatchObject({ name: "RetryableError", code: "git-failed" });
  const told = JSON.stringify(error, Object.getOwnPropertyNames(error));
  expect(told).not.toContain("hunter22");
  expect(told).not.toContain(Buffer.from("bot:hunter22hunter22").toString("base64"));
});

test("a missing repository is terminal, an unreachable or unknown host is not", async () => {
  const port = await serve(backend);
  await expect(resolve(`http://127.0.0.1:${port}/none.git`)).rejects.toMatchObject({
    name: "TerminalError",
    code: "repository-missing",
  });
  await expect(resolve("http://127.0.0.1:1/a.git")).rejects.toMatchObject({
    name: "RetryableError",
    code: "git-failed",
  });
  await expect(resolve("https://none.invalid/a.git")).rejects.toMatchObject({
    name: "RetryableError",
    code: "host-unknown",
  });
});

test("a certificate that nobody vouches for is refused", async () => {
  const [key, cert] = [join(root, "key.pem"), join(root, "cert.pem")];
  const subject = ["-subj", "/CN=git.internal.invalid", "-days", "1"];
  const into = ["-keyout", key, "-out", cert];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      ...subject,
      ...into,
    ],
    { stdio: "ignore" },
  );
  const port = await listen(
    createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, backend),
  );
  await expect(
    resolve(`https://git.internal.invalid:${port}/a.git`, {
      resolveHost: async () => ["127.0.0.1"],
    }),
  ).rejects.toMatchObject({ name: "TerminalError", code: "repository-untrusted" });
});

const LOOPBACK = { allowLocalRepositories: false, allowPrivateNetworks: true };
const withoutGit = (
  repository: string,
  wanted = { ref: MAIN, file: "Deliverous" },
  policy = LOOPBACK,
) => createGitOverHttp({ policy }).resolve({ repository, commit: undefined, ...wanted }, signal);

test("without a git program: a commit and its file are read, what is not there is null", async () => {
  const url = `http://127.0.0.1:${await serve(backend)}/a.git`;
  const found = await withoutGit(url);
  expect({ ...found, file: Buffer.from(found?.file ?? []) }).toEqual(SERVED());
  expect(await withoutGit(url, { ref: "refs/heads/gone", file: "Deliverous" })).toBeNull();
  expect((await withoutGit(url, { ref: MAIN, file: "nothing" }))?.file).toBeNull();
});

test("47: without a git program: redirects, private addresses and other protocols are refused", async () => {
  const port = await serve((_request, response) => {
    response.writeHead(302, { location: "http://169.254.169.254/latest" }).end();
  });
  const refused = { code: "repository-refused" };
  await expect(withoutGit(`http://127.0.0.1:${port}/a.git`)).rejects.toMatchObject(refused);
  const strict = { allowLocalRepositories: false, allowPrivateNetworks: false };
  const wanted = { ref: MAIN, file: "Deliverous" };
  await expect(withoutGit("https://127.0.0.1/a.git", wanted, strict)).rejects.toMatchObject(
    refused,
  );
  await expect(withoutGit("git@example.org:a.git")).rejects.toMatchObject(refused);
});
