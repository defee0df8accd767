/** What the agent and its volume thread tell each other; errors keep their class and code. */

import type { VolumeEngine } from "../functions/node-ports.ts";
import {
  AmbiguousError,
  BagageError,
  ConflictError,
  RetryableError,
  TerminalError,
} from "../volume/errors.ts";

export type WorkerRequest =
  | { kind: "snapshot"; id: number; options: Parameters<VolumeEngine["writeSnapshot"]>[0] }
  | { kind: "hydrate"; id: number; options: Parameters<VolumeEngine["hydrate"]>[0] }
  | { kind: "abort"; id: number; reason: string };

export interface EncodedError {
  readonly kind: string;
  readonly message: string;
  readonly code: string;
  readonly hint: string | undefined;
}

export type WorkerAnswer =
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
