/** The guard with real processes: what it ends when the lease runs out, and what it leaves alone. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bootTimeMs } from "../adapters/boot-time.ts";
import { systemClock } from "../adapters/clock.ts";
import { type GuardOrders, readGuardIdentity, writeGuardOrders } from "../adapters/guard-file.ts";
import {
  identifyProcess,
  type ProcessIdentity,
  systemProcesses,
} from "../adapters/process-identity.ts";
import { readBootId } from "../volume/boot-id.ts";
import { LeaseSession, ProjectId } from "../workflows/ids.ts";
import { runGuard } from "./guard.ts";
import { ensureGuard } from "./start-guard.ts";

const signal = AbortSignal.timeout(60_000);
let root: string;
let children: ChildProcess[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bagage-guard-"));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

/** A process that ends at SIGTERM, or only at SIGKILL. */
const start = (isStubborn = false): { child: ChildProcess; identity: ProcessIdentity } => {
  const child = isStubborn
    ? spawn("sh", ["-c", "trap '' TERM; while :; do sleep 1; done"])
    : spawn("sleep", ["600"]);
  children.push(child);
  const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
  if (identity === undefined) throw new Error("it did not start");
  return { child, identity };
};
const isEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null;

const orders = (agent: ProcessIdentity, more: Partial<GuardOrders> = {}): GuardOrders => ({
  bootId: "this-boot",
  session: LeaseSession.parse(1),
  deadlineMs: bootTimeMs() - 1,
  isLapsed: false,
  agentGraceMs: 50,
  agent,
  guards: [],
  containers: [],
  ...more,
});
const guarded = (name: string, init: ProcessIdentity, graceMs = 5_000) => ({
  project: ProjectId.parse("p"),
  name,
  init,
  graceMs,
});
const guard = (until: AbortSignal = signal, processes = systemProcesses): Promise<void> =>
  runGuard(
    {
      root,
      bootId: "this-boot",
      bootTimeMs,
      clock: systemClock,
      processes,
      say: () => undefined,
    },
    until,
  );

test("30: when the lease runs out the containers end, and an agent that is stuck", async () => {
  const agent = start();
  const gentle = start();
  const stubborn = start(true);
  agent.child.kill("SIGSTOP");
  const containers = [guarded("a", gentle.identity), guarded("b", stubborn.identity, 100)];
  await writeGuardOrders(root, orders(agent.identity, { containers }));
  await guard();
  expect([agent.child, gentle.child, stubborn.child].map(isEnded)).toEqual([true, true, true]);
  expect(agent.child.signalCode).toBe("SIGKILL");
  expect(gentle.child.signalCode).toBe("SIGTERM");
});

test("30: a container that can't be ended does not keep the guard from ending a stuck agent", async () => {
  const agent = start();
  const container = start();
  const containers = [guarded("a", container.identity)];
  await writeGuardOrders(root, orders(agent.identity, { containers }));
  const refuse = (init: ProcessIdentity, name: NodeJS.Signals): void => {
    if (init.pid === container.identity.pid) throw new Error("not permitted");
    systemProcesses.signal(init, name);
  };
  await expect(guard(signal, { ...systemProcesses, signal: refuse })).rejects.toThrow("permitted");
  if (!isEnded(agent.child)) await once(agent.child, "exit");
  expect(agent.child.signalCode).toBe("SIGKILL");
});

test("an agent that has closed its gates by itself is left alone", async () => {
  const agent = start();
  const container = start();
  const containers = [guarded("a", container.identity)];
  await writeGuardOrders(root, orders(agent.identity, { isLapsed: true, containers }));
  const control = new AbortController();
  const running = guard(control.signal).catch(() => undefined);
  await expect.poll(() => isEnded(container.child), { timeout: 10_000 }).toBe(true);
  await delay(200);
  expect(isEnded(agent.child)).toBe(false);
  control.abort();
  await running;
});

test("before the deadline nothing ends, and a renewal moves it on", async () => {
  const agent = start();
  const container = start();
  const containers = [guarded("a", container.identity)];
  const soon = orders(agent.identity, { deadlineMs: bootTimeMs() + 700, containers });
  await writeGuardOrders(root, soon);
  const control = new AbortController();
  const running = guard(control.signal).catch(() => undefined);
  await writeGuardOrders(root, { ...soon, deadlineMs: bootTimeMs() + 60_000 });
  await delay(1_200);
  expect([agent.child, container.child].map(isEnded)).toEqual([false, false]);
  control.abort();
  await running;
});

test("orders of another boot are nobody's: its processes are gone, and others have their pids", async () => {
  const container = start();
  const containers = [guarded("a", container.identity)];
  await writeGuardOrders(root, orders(container.identity, { bootId: "before", containers }));
  await guard();
  expect(isEnded(container.child)).toBe(false);
});

test("the guard is a process of its own, one for a root, and outlives whoever started it", async () => {
  const agent = start();
  const container = start();
  await writeGuardOrders(
    root,
    orders(agent.identity, {
      bootId: readBootId(),
      deadlineMs: bootTimeMs() + 4_000,
      containers: [guarded("a", container.identity)],
    }),
  );
  await Promise.all([
    ensureGuard({ root, startedBy: "agent" }, systemClock, signal),
    ensureGuard({ root, startedBy: "agent" }, systemClock, signal),
  ]);
  agent.child.kill("SIGKILL");
  await expect.poll(() => isEnded(container.child), { timeout: 20_000 }).toBe(true);
});

describe("as a service", () => {
  const CLI = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
  const service = async (): Promise<ChildProcess> => {
    const env = { BAGAGE_NODE_ROOT: root };
    const child = spawn(process.execPath, [CLI, "guard"], { env, stdio: "ignore" });
    children.push(child);
    await ensureGuard({ root, startedBy: "service" }, systemClock, signal);
    return child;
  };
  const held = (agent: ProcessIdentity, containers: GuardOrders["containers"]): GuardOrders =>
    orders(agent, { bootId: readBootId(), deadlineMs: bootTimeMs() + 60_000, containers });

  test("it waits for orders, and for the next ones when nothing is left", async () => {
    await service();
    for (const name of ["a", "b"]) {
      const agent = start();
      const container = start();
      const over = { ...held(agent.identity, [guarded(name, container.identity)]), deadlineMs: 0 };
      await writeGuardOrders(root, over);
      await expect.poll(() => isEnded(container.child), { timeout: 10_000 }).toBe(true);
      await expect.poll(() => isEnded(agent.child), { timeout: 10_000 }).toBe(true);
    }
  });

  test("stopped, it says that it leaves, and ends what it watched before it does", async () => {
    const guardProcess = await service();
    const agent = start();
    const container = start(true);
    const containers = [guarded("a", container.identity, 2_000)];
    await writeGuardOrders(root, held(agent.identity, containers));
    guardProcess.kill("SIGTERM");
    await expect.poll(() => readGuardIdentity(root), { timeout: 10_000 }).toBeNull();
    expect([container.child, guardProcess].map(isEnded)).toEqual([false, false]);
    await once(guardProcess, "exit");
    expect(guardProcess.exitCode).toBe(0);
    expect([agent.child, container.child].map(isEnded)).toEqual([false, true]);
  });

  test("an agent that starts none says which command is missing", async () => {
    const clock = { monotonicMs: () => (nowMs += 10_000), sleep: async () => undefined };
    let nowMs = 0;
    const missing = ensureGuard({ root, startedBy: "service" }, clock, signal);
    await expect(missing).rejects.toMatchObject({
      code: "guard-missing",
      hint: expect.stringContaining("bagage guard"),
    });
  });
});
