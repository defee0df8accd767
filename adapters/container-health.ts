/**
 * Whether a new container is fit to serve, found out as fast as it becomes so: the gap of a deploy
 * ends here. Probes more often than the engine does, and gives up when the engine would.
 */
import { connect } from "node:net";
import type { ContainerSpec, Healthcheck } from "../workflows/container-spec.ts";
import type { Clock } from "./clock.ts";
import type { ContainerView, DockerEngine } from "./docker-engine.ts";
import { isRefusal } from "./docker-errors.ts";

export type Health =
  | { readonly healthy: true; readonly atMs: number }
  /** With the exit code and the last log lines when it has ended. */
  | { readonly healthy: false; readonly reason: string };

export interface HealthRequest {
  readonly engine: Pick<DockerEngine, "inspect" | "exec" | "logs">;
  readonly clock: Clock;
  readonly name: string;
  readonly spec: Pick<ContainerSpec, "healthcheck" | "ports">;
  /** Counted from now on; the spec's own patience (start period, retries) may end it sooner. */
  readonly timeoutMs: number;
  /** Null when the port accepts a connection; else why not. Default: it is tried over TCP. */
  readonly tryPort?: (address: string, port: number) => Promise<string | null>;
}

const PROBE_INTERVAL_MS = 250;
/** Most containers are ready soon, and the gap ends when that is seen: at first they are asked often. */
const EAGER_INTERVAL_MS = 50;
const EAGER_MS = 1_500;
/** A port tells at next to no cost when a check is worth its own: how often it is asked. */
const PORT_INTERVAL_MS = 10;
const CONNECT_TIMEOUT_MS = 1_000;
/** Without health check and ports: this long without an end counts as healthy. */
const STEADY_MS = 1_000;
const LOG_LINES = 20;
const OUTPUT_CHARS_MAX = 500;

type Probe = (view: ContainerView, signal: AbortSignal) => Promise<string | null>;

/**
 * Resolves with the first success, an end of the container, or lost patience. Rejects with the
 * signal's reason, or with the engine's errors.
 */
export const waitHealthy = async (request: HealthRequest, signal: AbortSignal): Promise<Health> => {
  const { engine, clock, name, spec, timeoutMs } = request;
  const probe = chooseProbe(request);
  const patience = countFailures(spec.healthcheck, clock.monotonicMs());
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  const longestMs = Math.min(spec.healthcheck?.intervalMs ?? PROBE_INTERVAL_MS, PROBE_INTERVAL_MS);
  const eagerUntilMs = clock.monotonicMs() + EAGER_MS;
  let isAccepting = !hasCommand(spec) || spec.ports.length === 0;
  for (;;) {
    const beganMs = clock.monotonicMs();
    const view = await engine.inspect(name, signal);
    if (view === null) return { healthy: false, reason: `container ${name} is gone` };
    if (view.state === "exited" || view.state === "dead" || view.state === "removing") {
      return { healthy: false, reason: await describeEnd(engine, view, signal) };
    }
    if (!isAccepting && view.state === "running" && beganMs < eagerUntilMs) {
      isAccepting = await untilAccepting(request, view, beganMs + PROBE_INTERVAL_MS, signal);
    }
    const failure = view.state === "running" ? await probe(view, signal) : `it is ${view.state}`;
    if (failure === null) return { healthy: true, atMs: clock.nowMs() };
    const nowMs = clock.monotonicMs();
    if (patience.isLost(nowMs)) return { healthy: false, reason: failure };
    if (nowMs >= deadlineMs) {
      return { healthy: false, reason: `not healthy after ${timeoutMs} ms: ${failure}` };
    }
    // Its ports are waited for instead.
    if (!isAccepting && nowMs < eagerUntilMs) continue;
    // A probe that takes long takes it from the container that it asks.
    const eagerMs = Math.max(EAGER_INTERVAL_MS, nowMs - beganMs);
    await clock.sleep(Math.min(nowMs < eagerUntilMs ? eagerMs : longestMs, longestMs), signal);
  }
};

const hasCommand = ({ healthcheck }: HealthRequest["spec"]): boolean =>
  healthcheck !== undefined && healthcheck.test[0] !== "NONE";

const chooseProbe = (request: HealthRequest): Probe => {
  const { spec, clock } = request;
  const { healthcheck } = spec;
  if (healthcheck !== undefined && hasCommand(spec)) return commandProbe(request, healthcheck);
  return spec.ports.length > 0 ? (view) => findRefusal(request, view) : steadyProbe(clock);
};

/** A check takes the processor from what it waits for: at first it is run when the ports are open. */
const untilAccepting = async (
  request: HealthRequest,
  view: ContainerView,
  untilMs: number,
  signal: AbortSignal,
): Promise<boolean> => {
  const { clock } = request;
  while (clock.monotonicMs() < untilMs) {
    if ((await findRefusal(request, view)) === null) return true;
    await clock.sleep(PORT_INTERVAL_MS, signal);
  }
  return false;
};

/** Null when every port accepts connections. */
const findRefusal = async (
  { spec, tryPort = tryConnect }: HealthRequest,
  { addresses: [address] }: ContainerView,
): Promise<string | null> => {
  if (address === undefined) return "it has no network address";
  const results = await Promise.all(
    spec.ports.map(({ containerPort }) => tryPort(address, containerPort)),
  );
  return results.find((failure) => failure !== null) ?? null;
};

/** `["CMD", …]` runs as it is, `["CMD-SHELL", "…"]` in the container's shell. */
const commandProbe = ({ engine, name }: HealthRequest, check: Healthcheck): Probe => {
  const [kind, ...rest] = check.test;
  const command = kind === "CMD-SHELL" ? ["/bin/sh", "-c", ...rest] : rest;
  return async (_view, signal) => {
    const { timeoutMs } = check;
    const result = await engine.exec({ name, command, timeoutMs }, signal).catch(ifEnded);
    if (result === null) return "it ended while its health check ran";
    if (result.isTimedOut) return `the health check took longer than ${timeoutMs} ms`;
    if (result.exitCode === 0) return null;
    const said = result.output.trim().slice(0, OUTPUT_CHARS_MAX);
    return `the health check ended with code ${result.exitCode}${said === "" ? "" : `: ${said}`}`;
  };
};

/** Null: there is nothing to run a command in any more; how it ended is seen at the next look. */
const ifEnded = (error: unknown): null => {
  if (isRefusal(error, "docker-conflict") || isRefusal(error, "docker-not-found")) return null;
  throw error;
};

const steadyProbe = (clock: Clock): Probe => {
  let steadySince: { startedAtMs: number | null; sinceMs: number } | null = null;
  return async ({ startedAtMs }) => {
    const nowMs = clock.monotonicMs();
    if (steadySince?.startedAtMs !== startedAtMs) steadySince = { startedAtMs, sinceMs: nowMs };
    return nowMs - steadySince.sinceMs >= STEADY_MS ? null : `it ran for less than ${STEADY_MS} ms`;
  };
};

/**
 * Compose's patience: `retries` failures in a row, `interval` apart, none of them counted in the
 * start period. Probes in between only help to see a success early.
 */
const countFailures = (check: Healthcheck | undefined, startMs: number) => {
  if (check === undefined) return { isLost: () => false };
  let failures = 0;
  let nextMs = startMs + Math.max(check.startPeriodMs, check.intervalMs);
  return {
    isLost: (nowMs: number): boolean => {
      if (nowMs < nextMs) return false;
      failures += 1;
      nextMs = nowMs + check.intervalMs;
      return failures >= check.retries;
    },
  };
};

const tryConnect = (host: string, port: number): Promise<string | null> => {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
  socket.once("connect", () => resolve(null));
  socket.once("timeout", () => resolve(`port ${port} gave no answer`));
  socket.once("error", ({ message }) => resolve(`port ${port}: ${message}`));
  return promise.finally(() => socket.destroy());
};

const describeEnd = async (
  engine: HealthRequest["engine"],
  view: ContainerView,
  signal: AbortSignal,
): Promise<string> => {
  const lines = await engine.logs(view.name, LOG_LINES, signal);
  return [`the container ended with code ${view.exitCode}`, ...lines].join("\n");
};
