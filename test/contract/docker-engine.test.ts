/** The Docker adapter against a real engine. Each test names its containers for itself. */
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../adapters/clock.ts";
import { waitHealthy } from "../../adapters/container-health.ts";
import {
  type ContainerEvent,
  type ContainerRequest,
  connectDocker,
} from "../../adapters/docker-engine.ts";
import { processesUsing } from "../../adapters/open-files.ts";
import { attachOrStartLab } from "../../infra/lab/lab.ts";
import { ContainerSpec } from "../../workflows/container-spec.ts";

const parts = { engines: 1, gateways: 0, elasticmq: false };
const lab = await attachOrStartLab(parts, console.log, AbortSignal.timeout(300_000));
afterAll(() => lab.stop(AbortSignal.timeout(60_000)));
const engine = connectDocker({ socketPath: lab.nodes[0]?.dockerSocket ?? "" });
const run = randomUUID();
const labels = { "bagage.test": run };
const signal = AbortSignal.timeout(110_000);
let directory = "";
let name = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "docker-engine-"));
  name = `bagage-test-${randomUUID()}`;
});
afterEach(async () => {
  for (const { name: made } of await engine.listContainers(labels, signal)) {
    await engine.removeContainer(made, signal);
  }
  await rm(directory, { recursive: true });
});

const specOf = (command: string[], extra: Partial<ContainerSpec> = {}): ContainerSpec =>
  ContainerSpec.parse({
    image: "busybox:latest",
    command,
    environment: {},
    ports: [],
    stopGracePeriodMs: 10_000,
    labels: {},
    constraints: [],
    volumes: [],
    ...extra,
  });

const create = async (spec: ContainerSpec, extra: Partial<ContainerRequest> = {}) => {
  const { imageId } = await engine.ensureImage({ reference: spec.image }, signal);
  return engine.createContainer({ name, labels, spec, imageId, mounts: [], ...extra }, signal);
};

const startWith = async (command: string[], extra: Partial<ContainerRequest> = {}) => {
  await create(specOf(command), extra);
  await engine.startContainer(name, signal);
};

const untilEnded = async () => {
  for (;;) {
    const view = await engine.inspect(name, signal);
    if (view?.state === "exited") return view;
    await systemClock.sleep(20, signal);
  }
};

/** Handles its stop signal, as a well-behaved application does. */
const POLITE = ["sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"];
/** As PID 1 without a handler: the kernel drops SIGTERM. */
const DEAF = ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"];

test("the engine says what the node has", async () => {
  const info = await engine.info(signal);
  expect(info.cpus).toBeGreaterThan(0);
  expect(info.memoryBytes).toBeGreaterThan(1e8);
});

test("an engine that is not there is a transient error", async () => {
  const nowhere = connectDocker({ socketPath: join(directory, "docker.sock") });
  await expect(nowhere.ping(signal)).rejects.toMatchObject({
    name: "RetryableError",
    code: "docker-unreachable",
  });
});

test("an imported image is taken as it is and said to be local", async () => {
  const image = await engine.ensureImage({ reference: "busybox" }, signal);
  expect(image).toEqual({
    imageId: expect.stringMatching(/^sha256:/),
    digest: null,
    source: "local-only",
  });
  const byId = await engine.ensureImage({ reference: image.imageId }, signal);
  expect(byId).toMatchObject({ imageId: image.imageId, source: "present" });
});

test("a registry out of reach is transient, an unknown image id is not", async () => {
  await expect(
    engine.ensureImage({ reference: "127.0.0.1:1/team/none:1" }, signal),
  ).rejects.toMatchObject({ name: "RetryableError", code: "registry-unreachable" });
  await expect(
    engine.ensureImage({ reference: `sha256:${"0".repeat(64)}` }, signal),
  ).rejects.toMatchObject({ name: "TerminalError", code: "image-not-found" });
});

test("a container gets what its spec says, and publishes no port", async () => {
  await mkdir(join(directory, "data"));
  await writeFile(join(directory, "data", "in"), "from outside");
  const spec = specOf(["sh", "-c", 'cat /data/in; echo " $A $(id -u)"; sleep 60'], {
    environment: { A: "b=c d" },
    user: "1234",
    labels: { own: "label" },
    memLimitBytes: 64 << 20,
    cpus: 0.5,
    ports: [{ hostPort: 18_080, containerPort: 80, protocol: "tcp" }],
  });
  await create(spec, {
    mounts: [{ source: join(directory, "data"), target: "/data", readOnly: true }],
  });
  expect(await engine.inspect(name, signal)).toMatchObject({ state: "created", startedAtMs: null });
  await engine.startContainer(name, signal);
  await engine.startContainer(name, signal);
  const view = await engine.inspect(name, signal);
  expect(view).toMatchObject({
    name,
    state: "running",
    health: "none",
    labels: { ...labels, own: "label" },
    mounts: [{ source: join(directory, "data"), target: "/data", readOnly: true }],
  });
  expect(view?.addresses).toHaveLength(1);
  expect(Date.now() - (view?.startedAtMs ?? 0)).toBeLessThan(60_000);
  await expect.poll(() => engine.logs(name, 10, signal)).toEqual(["from outside b=c d 1234"]);
  const limits = await engine.exec(
    { name, command: ["touch", "/data/out"], timeoutMs: 10_000 },
    signal,
  );
  expect(limits.exitCode).not.toBe(0);
});

test("creating twice is one container; another one of that name is refused", async () => {
  const first = await create(specOf(POLITE));
  expect(await create(specOf(POLITE))).toEqual({ id: first.id, isReused: true });
  await expect(create(specOf(POLITE), { labels: { ...labels, epoch: "8" } })).rejects.toMatchObject(
    { name: "TerminalError", code: "container-name-taken" },
  );
});

test("26: a start is refused once its bind source was renamed away, and makes none", async () => {
  const source = join(directory, "live-e7");
  await mkdir(source);
  const mounts = [{ source, target: "/data", readOnly: false }];
  await create(specOf(POLITE), { mounts });
  await rename(source, join(directory, "sealed-e7"));
  await expect(engine.startContainer(name, signal)).rejects.toMatchObject({
    name: "TerminalError",
    code: "mount-source-missing",
  });
  await expect(readFile(source)).rejects.toMatchObject({ code: "ENOENT" });
  await engine.removeContainer(name, signal);
  await expect(create(specOf(POLITE), { mounts })).rejects.toMatchObject({
    name: "TerminalError",
    code: "mount-source-missing",
  });
});

test("a container that handles its stop signal stops clean, twice is harmless", async () => {
  await startWith(POLITE);
  await expect.poll(() => engine.logs(name, 1, signal)).toEqual(["ready"]);
  const stopped = { stopped: "clean", exitCode: 3 };
  expect(await engine.stopContainer(name, 10_000, signal)).toEqual(stopped);
  expect(await engine.stopContainer(name, 10_000, signal)).toEqual(stopped);
  await engine.removeContainer(name, signal);
  await engine.removeContainer(name, signal);
  expect(await engine.stopContainer(name, 10_000, signal)).toEqual({
    stopped: "absent",
    exitCode: null,
  });
  expect(await engine.inspect(name, signal)).toBeNull();
});

test("27: a container that ignores SIGTERM is killed after its grace period", async () => {
  await startWith(DEAF);
  const startMs = performance.now();
  expect(await engine.stopContainer(name, 500, signal)).toEqual({
    stopped: "killed",
    exitCode: 137,
  });
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(500);
});

test("an aborted stop leaves the container to the next one", async () => {
  await startWith(DEAF);
  const impatient = AbortSignal.timeout(300);
  await expect(engine.stopContainer(name, 30_000, impatient)).rejects.toMatchObject({
    name: "TimeoutError",
  });
  expect(await engine.inspect(name, signal)).toMatchObject({ state: "running" });
});

test("mounts of a directory, below it and above it are all found", async () => {
  const data = join(directory, "v", "data");
  await mkdir(data, { recursive: true });
  await mkdir(join(directory, "v2"));
  await startWith(POLITE, { mounts: [{ source: data, target: "/d", readOnly: false }] });
  const found = [{ name, state: "running", source: data }];
  expect(await engine.containersMounting(data, signal)).toMatchObject(found);
  expect(await engine.containersMounting(join(directory, "v"), signal)).toMatchObject(found);
  expect(await engine.containersMounting(join(data, "deep"), signal)).toMatchObject(found);
  expect(await engine.containersMounting(join(directory, "v2"), signal)).toEqual([]);
});

test("28: a container's process that holds a file is seen from the host", async () => {
  await startWith(["sh", "-c", "exec 3>/d/held; echo ready; while :; do sleep 0.05; done"], {
    mounts: [{ source: directory, target: "/d", readOnly: false }],
  });
  await expect.poll(() => engine.logs(name, 1, signal)).toEqual(["ready"]);
  const users = await processesUsing(directory);
  expect(users).toContainEqual(expect.objectContaining({ command: "sh", how: "fd" }));
  await engine.stopContainer(name, 0, signal);
  expect(await processesUsing(directory)).toEqual([]);
});

test("a command's output and exit code come back; a missing one says so", async () => {
  await startWith(POLITE);
  const command = ["sh", "-c", "echo out; echo err >&2; exit 7"];
  const result = await engine.exec({ name, command, timeoutMs: 10_000 }, signal);
  expect(result).toMatchObject({ exitCode: 7, isTimedOut: false });
  expect(result.output.split("\n").toSorted()).toEqual(["", "err", "out"]);
  const missing = await engine.exec({ name, command: ["none"], timeoutMs: 10_000 }, signal);
  expect(missing.exitCode).not.toBe(0);
  const much = ["sh", "-c", "i=0; while [ $i -lt 30000 ]; do echo 0123456789; i=$((i+1)); done"];
  const bounded = await engine.exec({ name, command: much, timeoutMs: 60_000 }, signal);
  expect(bounded).toMatchObject({ exitCode: 0, isTimedOut: false });
  expect(bounded.output.length).toBe(64 * 1024);
});

test("28: a command that runs out of time is killed with all it started", async () => {
  await startWith(POLITE, { mounts: [{ source: directory, target: "/d", readOnly: false }] });
  const command = ["sh", "-c", "echo started; while :; do date >> /d/out; sleep 0.02; done"];
  const result = await engine.exec({ name, command, timeoutMs: 500 }, signal);
  expect(result).toEqual({ exitCode: null, output: "started\n", isTimedOut: true });
  const processes = await engine.exec(
    { name, command: ["sh", "-c", "cat /proc/[0-9]*/cmdline"], timeoutMs: 10_000 },
    signal,
  );
  expect(processes.output).not.toContain("/d/out");
});

test("events come with names and labels", async () => {
  const stop = new AbortController();
  const seen: ContainerEvent[] = [];
  const following = (async () => {
    for await (const event of engine.events(labels, stop.signal)) seen.push(event);
  })();
  // The stream has no "listening" signal: make containers until one is seen.
  for (let i = 0; seen.length === 0; i += 1) {
    name = `bagage-test-${i}-${randomUUID()}`;
    await startWith(["true"]);
    await untilEnded();
  }
  await expect.poll(() => seen.map(({ action }) => action)).toContain("die");
  expect(seen.at(-1)).toMatchObject({ name, labels });
  stop.abort();
  await following;
});

test("health: the spec's command decides, at its first success", async () => {
  const healthcheck = {
    test: ["CMD-SHELL", "test -e /tmp/ok"],
    intervalMs: 5_000,
    timeoutMs: 5_000,
    retries: 3,
    startPeriodMs: 30_000,
  };
  const spec = specOf(["sh", "-c", "sleep 1; touch /tmp/ok; exec sleep 60"], { healthcheck });
  await create(spec);
  await engine.startContainer(name, signal);
  const startMs = performance.now();
  const health = await waitHealthy(
    { engine, clock: systemClock, name, spec, timeoutMs: 60_000 },
    signal,
  );
  expect(health).toEqual({ healthy: true, atMs: expect.any(Number) });
  expect(performance.now() - startMs).toBeLessThan(4_000);
});

test("health: an end is unhealthy at once, with exit code and last words", async () => {
  const spec = specOf(["sh", "-c", "echo cannot migrate; exit 9"]);
  await create(spec);
  await engine.startContainer(name, signal);
  expect(
    await waitHealthy({ engine, clock: systemClock, name, spec, timeoutMs: 60_000 }, signal),
  ).toEqual({ healthy: false, reason: "the container ended with code 9\ncannot migrate" });
});
