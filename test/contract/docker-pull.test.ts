/** Pulling, from a registry beside a real engine. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectDocker } from "../../adapters/docker-engine.ts";
import type { ImageProgress } from "../../adapters/pull-progress.ts";
import { attachOrStartLab } from "../../infra/lab/lab.ts";

const parts = { engines: 1, gateways: 0, elasticmq: false };
const lab = await attachOrStartLab(parts, console.log, AbortSignal.timeout(300_000));
const node = lab.nodes[0];
if (node === undefined) throw new Error("the lab has no node");
const engine = connectDocker({ socketPath: node.dockerSocket });
const signal = AbortSignal.timeout(110_000);
let registry: ChildProcess;
let host = "";

const inNode = (script: readonly string[]): ChildProcess => {
  const [command, ...args] = node.nsenter([process.execPath, ...script]);
  return spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
};

/** The engine's host is another network: the request is made from there. */
const publish = async (): Promise<void> => {
  const request = inNode(["-e", `await fetch("http://${host}/publish", { method: "POST" })`]);
  await once(request, "exit");
};

const startRegistry = async (...args: string[]): Promise<string> => {
  registry = inNode([`${import.meta.dirname}/image-registry.ts`, ...args]);
  const [line] = registry.stdout === null ? [] : await once(registry.stdout, "data");
  host = `127.0.0.1:${String(line).trim()}`;
  return host;
};

beforeAll(async () => {
  await startRegistry();
});
afterAll(async () => {
  const docker = new Docker({ socketPath: node.dockerSocket });
  const reference = ["127.0.0.1:*/team/app"];
  for (const { Id } of await docker.listImages({ filters: JSON.stringify({ reference }) })) {
    await docker.getImage(Id).remove({ force: true });
  }
  registry.kill();
  await lab.stop(AbortSignal.timeout(60_000));
});

test("what is missing is pulled with progress, what is there is not pulled again", async () => {
  const seen: ImageProgress[] = [];
  const reference = `${host}/team/app`;
  const onProgress = (progress: ImageProgress) => void seen.push(progress);
  const pulled = await engine.ensureImage({ reference, onProgress }, signal);
  expect(pulled).toEqual({
    imageId: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    source: "pulled",
  });
  expect(seen.at(-1)?.totalBytes).toBeGreaterThan(3_000_000);
  expect(seen.at(-1)?.doneBytes).toBe(seen.at(-1)?.totalBytes);
  expect(await engine.ensureImage({ reference }, signal)).toEqual({ ...pulled, source: "present" });
  const byDigest = { reference: `${host}/team/app@${pulled.digest}` };
  expect(await engine.ensureImage(byDigest, signal)).toEqual({ ...pulled, source: "present" });

  await publish();
  const next = await engine.ensureImage({ reference }, signal);
  expect(next.source).toBe("pulled");
  expect(next.imageId).not.toBe(pulled.imageId);
  expect(await engine.ensureImage(byDigest, signal)).toMatchObject({ imageId: pulled.imageId });

  registry.kill();
  await once(registry, "exit");
  const unreachable = await engine.ensureImage({ reference }, signal);
  expect(unreachable).toEqual({ ...next, source: "local-only" });
  await expect(
    engine.ensureImage({ reference: `${host}/team/other:1` }, signal),
  ).rejects.toMatchObject({ name: "RetryableError", code: "registry-unreachable" });
});

test("an unknown image and one that wants a login are terminal, and told apart", async () => {
  const second = await startRegistry();
  const ensure = (reference: string) => engine.ensureImage({ reference }, signal);
  await expect(ensure(`${second}/team/none:1`)).rejects.toMatchObject({
    name: "TerminalError",
    code: "image-not-found",
  });
  await expect(ensure(`${second}/team/app:none`)).rejects.toMatchObject({
    name: "TerminalError",
    code: "image-not-found",
  });
  registry.kill();
  await once(registry, "exit");

  const reference = `${await startRegistry("login")}/team/app`;
  await expect(ensure(reference)).rejects.toMatchObject({
    name: "TerminalError",
    code: "image-denied",
  });

  const credentialsFile = join(mkdtempSync(join(tmpdir(), "docker-pull-")), "config.json");
  const auth = Buffer.from("bot:pass").toString("base64");
  writeFileSync(credentialsFile, JSON.stringify({ auths: { [host]: { auth } } }));
  const loggedIn = connectDocker({ socketPath: node.dockerSocket, credentialsFile });
  const pulled = await loggedIn.ensureImage({ reference }, signal);
  expect(pulled.source).toBe("pulled");
  expect(await loggedIn.ensureImage({ reference }, signal)).toMatchObject({ source: "present" });
  rmSync(dirname(credentialsFile), { recursive: true });
});
