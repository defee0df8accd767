/**
 * A machine and the process on it. All that the process does to the outside goes through `call`, a
 * boundary at which it may be killed or frozen: before the effect, and after it, without hearing of it.
 * A killed process never goes on; a frozen one goes on later, with what it knew before.
 */
import type { World } from "./world.ts";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Done by the process itself: it does not happen when the process is gone. */
  readonly isLocal?: boolean;
}

export type Moment = "before" | "after";

export interface Process {
  readonly machine: Machine;
  isAlive(): boolean;
  nowMs(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  call<T>(what: string, effect: () => T | Promise<T>, options?: CallOptions): Promise<T>;
  /** Runs it when the process next gets a turn; never, if it is gone by then. */
  deliver(run: () => void, latencyMs?: number): void;
}

export interface Machine {
  readonly name: string;
  readonly world: World;
  process: Process | null;
  frozenUntilMs: number;
  /** How wrong its clock is. */
  clockOffsetMs: number;
  /** Neither store nor queues are reached; whoever is on the machine's own network still is. */
  isCut: boolean;
  /** Asked at each boundary: true kills the process there. */
  strike: ((what: string, moment: Moment) => boolean) | null;
  /** Starts a process; a machine that is down starts none. */
  start(): void;
  kill(downMs: number): void;
  /** Started now, whatever it was to wait for. */
  powerOn(): void;
}

/** Calls that change nothing are left out of the story. */
const QUIET = /^(?:get|head|list|look|fence read) /;
const LOCAL_MS = 3;
const REMOTE_MS = 40;

export const createMachine = (
  world: World,
  name: string,
  boot: (process: Process) => void,
  onKilled: () => void = () => undefined,
): Machine => {
  let startsAtMs = 0;
  const machine: Machine = {
    name,
    world,
    process: null,
    frozenUntilMs: 0,
    clockOffsetMs: 0,
    isCut: false,
    strike: null,
    start: () => {
      if (machine.process !== null) return;
      const process = createProcess(machine);
      machine.process = process;
      world.note(`${name} starts`);
      boot(process);
    },
    powerOn: () => {
      startsAtMs = 0;
      machine.start();
    },
    kill: (downMs) => {
      if (machine.process !== null) world.note(`${name} is killed`);
      machine.process = null;
      machine.frozenUntilMs = 0;
      onKilled();
      startsAtMs = Math.max(startsAtMs, world.nowMs() + downMs);
      world.after(downMs, () => {
        if (world.nowMs() >= startsAtMs) machine.start();
      });
    },
  };
  return machine;
};

const createProcess = (machine: Machine): Process => {
  const { world } = machine;
  const { random } = world;
  const isAlive = (): boolean => machine.process === process;
  const whenAwake = (run: () => void): void => {
    if (!isAlive()) return;
    const leftMs = machine.frozenUntilMs - world.nowMs();
    if (leftMs > 0) world.after(leftMs + random.between(0, 5), () => whenAwake(run));
    else run();
  };
  const isStruck = (what: string, moment: Moment): boolean => {
    if (machine.strike?.(what, moment) !== true) return false;
    world.note(`${machine.name} is struck ${moment} ${what}`);
    return true;
  };
  const call = <T>(
    what: string,
    effect: () => T | Promise<T>,
    { signal, isLocal = false }: CallOptions = {},
  ): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (!isAlive() || isStruck(what, "before")) return promise;
    if (signal?.aborted) return Promise.reject(signal.reason);
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const latencyMs = () => random.between(1, isLocal ? LOCAL_MS : REMOTE_MS);
    const settle = (finish: () => void): void => {
      const hear = () =>
        whenAwake(() => {
          signal?.removeEventListener("abort", abort);
          if (!isStruck(what, "after")) finish();
        });
      if (isLocal) hear();
      else world.after(latencyMs(), hear);
    };
    const act = (): void => {
      Promise.resolve()
        .then(effect)
        .then(
          (value) => {
            if (!QUIET.test(what)) world.note(`${machine.name} ${what}`);
            settle(() => resolve(value));
          },
          (error) => {
            world.note(`${machine.name} ${what}: ${describeError(error)}`);
            settle(() => reject(error));
          },
        );
    };
    world.after(latencyMs(), isLocal ? () => whenAwake(act) : act);
    return promise;
  };
  const process: Process = {
    machine,
    isAlive,
    nowMs: () => world.nowMs() + machine.clockOffsetMs,
    call,
    deliver: (run, latencyMs = random.between(1, REMOTE_MS)) =>
      void world.after(latencyMs, () => whenAwake(run)),
    sleep: (ms, signal) => {
      if (signal.aborted) return Promise.reject(signal.reason);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      world.after(ms, () =>
        whenAwake(() => {
          signal.removeEventListener("abort", abort);
          resolve();
        }),
      );
      return promise;
    },
  };
  return process;
};

const describeError = (error: unknown): string => {
  const { code, message } = error as { code?: string; message?: string };
  return code ?? message ?? String(error);
};

/** Calls that answer at once: as boundaries of a process they would answer with a promise. */
type Immediate<T> = {
  [K in keyof T]: T[K] extends (...args: never[]) => infer R
    ? R extends Promise<unknown>
      ? never
      : K
    : never;
}[keyof T];

/** Names what is left as it is: all that answers at once, and more. */
type Untouched<T> = Readonly<Record<Immediate<T>, true>> & Readonly<Partial<Record<keyof T, true>>>;

/** The port with each of its calls as a boundary of the process, but for those that are named. */
export const bound = <T extends object>(
  process: Process,
  label: string,
  port: T,
  untouched: Untouched<T>,
): T =>
  Object.fromEntries(
    Object.entries(port).map(([name, value]) => {
      if (typeof value !== "function" || name in untouched) return [name, value];
      const call = (...args: unknown[]) =>
        process.call(`${label} ${name}`, () => (value as (...a: unknown[]) => unknown)(...args), {
          isLocal: true,
        });
      return [name, call];
    }),
  ) as T;
