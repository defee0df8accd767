import { createServer, type Server } from "node:net";
import { expect, test } from "vitest";
import { TerminalError } from "../volume/errors.ts";
import type { Clock } from "./clock.ts";
import { type HealthRequest, waitHealthy } from "./container-health.ts";
import type { ContainerView, ExecResult } from "./docker-engine.ts";

const never = new AbortController().signal;

/** Sleeping moves the time on, nothing waits. */
const fakeClock = (): Clock => {
  let ms = 0;
  return {
    nowMs: () => 1_700_000_000_000 + ms,
    monotonicMs: () => ms,
    sleep: async (forMs) => {
      ms += forMs;
    },
  };
};

const VIEW: ContainerView = {
  id: "1",
  name: "web",
  state: "running",
  exitCode: 0,
  addresses: ["127.0.0.1"],
  health: "none",
  startedAtMs: 5,
  pid: 7,
  labels: {},
  mounts: [],
};

const CHECK = {
  test: ["CMD", "check"],
  intervalMs: 1_000,
  timeoutMs: 500,
  retries: 3,
  startPeriodMs: 2_000,
};

const result = (exitCode: number | null, output = ""): ExecResult => ({
  exitCode,
  output,
  isTimedOut: exitCode === null,
});

/** Resolves with the port. */
const listen = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

const portOf = (containerPort: number) => ({
  ...{ hostPort: 80, containerPort, protocol: "tcp" as const },
});

interface Script {
  readonly spec: HealthRequest["spec"];
  readonly timeoutMs?: number;
  readonly view?: (ms: number) => ContainerView | null;
  readonly exec?: (ms: number, command: readonly string[]) => ExecResult;
}

const probe = async ({ spec, timeoutMs = 60_000, view, exec }: Script) => {
  const clock = fakeClock();
  const health = await waitHealthy(
    {
      clock,
      name: "web",
      spec,
      timeoutMs,
      engine: {
        inspect: async () => (view === undefined ? VIEW : view(clock.monotonicMs())),
        exec: async ({ command }) => exec?.(clock.monotonicMs(), command) ?? result(1),
        logs: async (_name, lines) => [`last of ${lines}`],
      },
    },
    never,
  );
  return { health, atMs: clock.monotonicMs() };
};

test("the first success counts at once, long before the check's own interval", async () => {
  const seen = await probe({
    spec: { healthcheck: { ...CHECK, intervalMs: 30_000 }, ports: [] },
    exec: (ms) => result(ms >= 500 ? 0 : 1),
  });
  expect(seen).toEqual({ health: { healthy: true, atMs: 1_700_000_000_500 }, atMs: 500 });
});

test("a check is first run when the ports are open, or it has been waited for long enough", async () => {
  const server = createServer((socket) => socket.destroy());
  const open = await listen(server);
  const asked: number[] = [];
  const seen = await probe({
    spec: { healthcheck: CHECK, ports: [portOf(open)] },
    exec: (ms) => {
      asked.push(ms);
      return result(0);
    },
  });
  expect({ seen: seen.health.healthy, asked }).toEqual({ seen: true, asked: [0] });
  await new Promise((resolve) => server.close(resolve));
  // The port of a container whose check does not need it may stay closed for ever.
  const closed = await probe({
    spec: { healthcheck: CHECK, ports: [portOf(open)] },
    exec: (ms) => {
      asked.push(ms);
      return result(asked.length > 3 ? 0 : 1);
    },
  });
  expect(closed.health.healthy).toBe(true);
  expect(asked.slice(1, 3)).toEqual([250, 500]);
});

test("CMD-SHELL runs in the container's shell, CMD as it is", async () => {
  const commands: (readonly string[])[] = [];
  for (const words of [
    ["CMD-SHELL", "a | b"],
    ["CMD", "a", "b"],
  ]) {
    await probe({
      spec: { healthcheck: { ...CHECK, test: words }, ports: [] },
      exec: (_ms, command) => {
        commands.push(command);
        return result(0);
      },
    });
  }
  expect(commands).toEqual([
    ["/bin/sh", "-c", "a | b"],
    ["a", "b"],
  ]);
});

test("failures in the start period are free, then `retries` at the interval's pace", async () => {
  const seen = await probe({
    spec: { healthcheck: CHECK, ports: [] },
    exec: () => result(4, "no database\n"),
  });
  // Counted at 2 s, 3 s and 4 s.
  expect(seen).toEqual({
    health: { healthy: false, reason: "the health check ended with code 4: no database" },
    atMs: 4_000,
  });
});

test("a check that hangs says so; the deadline ends a patient check", async () => {
  const patient = { ...CHECK, retries: 1_000 };
  const seen = await probe({
    spec: { healthcheck: patient, ports: [] },
    timeoutMs: 5_000,
    exec: () => result(null),
  });
  expect(seen.health).toEqual({
    healthy: false,
    reason: "not healthy after 5000 ms: the health check took longer than 500 ms",
  });
});

test("a container that has ended or is gone is unhealthy at once", async () => {
  const spec = { healthcheck: CHECK, ports: [] };
  const ended = await probe({ spec, view: () => ({ ...VIEW, state: "exited", exitCode: 9 }) });
  expect(ended).toEqual({
    health: { healthy: false, reason: "the container ended with code 9\nlast of 20" },
    atMs: 0,
  });
  const gone = await probe({ spec, view: () => null });
  expect(gone.health).toEqual({ healthy: false, reason: "container web is gone" });
});

test("without a check, every port must accept connections", async () => {
  const server = createServer((socket) => socket.destroy());
  const open = await listen(server);
  const up = await probe({ spec: { ports: [portOf(open)] } });
  expect(up.health.healthy).toBe(true);
  const disabled = { ...CHECK, test: ["NONE"] };
  const upToo = await probe({ spec: { healthcheck: disabled, ports: [portOf(open)] } });
  expect(upToo.health.healthy).toBe(true);
  const down = await probe({ spec: { ports: [portOf(open), portOf(1)] }, timeoutMs: 1_000 });
  expect(down.health).toMatchObject({ healthy: false, reason: expect.stringContaining("port 1") });
  await new Promise((resolve) => server.close(resolve));
});

test("without check and ports, one second of running counts; a restart starts it again", async () => {
  const seen = await probe({
    spec: { ports: [] },
    view: (ms) => ({ ...VIEW, startedAtMs: ms < 750 ? 5 : 6 }),
  });
  expect(seen).toMatchObject({ health: { healthy: true }, atMs: 1_750 });
});

// It was told as the engine's "409: container is not running".
test("a container that ends under its health check says how it ended, and its last lines", async () => {
  let asked = false;
  const { health } = await probe({
    spec: { ports: [], healthcheck: CHECK },
    view: () => (asked ? { ...VIEW, state: "exited", exitCode: 3 } : VIEW),
    exec: () => {
      asked = true;
      throw new TerminalError("exec in web: it is not running", { code: "docker-conflict" });
    },
  });
  const reason = "the container ended with code 3\nlast of 20";
  expect(health).toEqual({ healthy: false, reason });
});
