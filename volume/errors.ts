/**
 * The error kinds. The class is the instruction to the caller; `code` names the case, `hint` is what
 * an operator does about it. Shared by every layer that touches effects.
 */

export interface ErrorDetails {
  readonly code: string;
  readonly hint?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class BagageError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(message: string, details: ErrorDetails) {
    super(message, { cause: details.cause });
    this.name = new.target.name;
    this.code = details.code;
    this.hint = details.hint;
    this.data = details.data ?? {};
  }
}

/** Transient: the same call may succeed later. Repeat with back-off. */
export class RetryableError extends BagageError {}

/** Repeating changes nothing. Report it; a message that caused it goes to the dead-letter queue. */
export class TerminalError extends BagageError {}

/** A compare-and-swap was lost: re-read and decide again. */
export class ConflictError extends BagageError {}

/** A write whose outcome is unknown (time-out, reset, 5xx). Repeat the same body; never assume. */
export class AmbiguousError extends BagageError {}
