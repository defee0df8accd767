/** What the agent and its volume thread tell each other; errors keep their class and code. */

import type { StoreCall } from "../adapters/meter-store.ts";
import type { OnVolumeProgress, VolumeEngine, VolumeProgress } from "../functions/node-ports.ts";
import {
  AmbiguousError,
  BagageError,
  ConflictError,
  RetryableError,
  TerminalError,
} from "../volume/errors.ts";

type Options<K extends keyof VolumeEngine> = Omit<Parameters<VolumeEngine[K]>[0], "onProgress">;

export type WorkerRequest =
  | { kind: "snapshot"; id: number; options: Options<"writeSnapshot"> }
  | { kind: "hydrate"; id: number; options: Options<"hydrate"> }
  | { kind: "measure"; id: number; options: Options<"measure"> }
  | { kind: "abort"; id: number; reason: string };

export interface EncodedError {
  readonly kind: string;
  readonly message: string;
  readonly code: string;
  readonly hint: string | undefined;
}

export type WorkerAnswer =
  | { readonly id: number; readonly storeCalls: readonly StoreCall[] }
  | { readonly id: number; readonly progress: VolumeProgress }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: EncodedError };

const KINDS = { TerminalError, RetryableError, ConflictError, AmbiguousError } as const;

/** A system error (a full disk, a missing directory) is final for the step: it says so by its code. */
const FINAL_CODES = new Set(["ENOSPC", "EDQUOT", "EROFS", "ENAMETOOLONG", "EPERM", "EACCES"]);

export const encodeError = (error: unknown): EncodedError => {
  if (error instanceof BagageError) {
    const { name, message, code, hint } = error;
    return { kind: name, message, code, hint };
  }
  const { message, code } = error as NodeJS.ErrnoException;
  const isFinal = FINAL_CODES.has(code ?? "");
  return {
    kind: isFinal ? "TerminalError" : "RetryableError",
    message,
    code: code ?? "volume-failed",
    hint: undefined,
  };
};

export const decodeError = ({ kind, message, code, hint }: EncodedError): Error => {
  const Kind = KINDS[kind as keyof typeof KINDS] ?? RetryableError;
  return new Kind(message, { code, ...(hint !== undefined && { hint }) });
};

const PROGRESS_EVERY_MS = 250;

/** Lets one report through in a while: the engine tells of every frame. */
export const throttleProgress = (
  report: OnVolumeProgress,
  nowMs: () => number,
): OnVolumeProgress => {
  let toldAtMs = Number.NEGATIVE_INFINITY;
  return (progress) => {
    const now = nowMs();
    if (now - toldAtMs < PROGRESS_EVERY_MS) return;
    toldAtMs = now;
    report(progress);
  };
};

const STORE_CALLS_AT_ONCE = 100;

/** Hands calls on by the hundred: a message for each would cost more than what it tells. */
export const gatherStoreCalls = (tell: (calls: readonly StoreCall[]) => void) => {
  let calls: StoreCall[] = [];
  const flush = (): void => {
    if (calls.length === 0) return;
    tell(calls);
    calls = [];
  };
  return {
    note: (call: StoreCall): void => {
      calls.push(call);
      if (calls.length >= STORE_CALLS_AT_ONCE) flush();
    },
    /** Before the work's result: what comes after that has nobody to go to. */
    flush,
  };
};
