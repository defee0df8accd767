/** Errors between threads: a clone would lose their class and what system calls say of themselves. */
import { TerminalError } from "../errors.ts";

export interface Failure {
  readonly isTerminal: boolean;
  readonly message: string;
  readonly code: string | undefined;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

export const encodeFailure = (error: unknown): Failure => {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof TerminalError) {
    const { code, hint, data } = error;
    return { isTerminal: true, message, code, hint, data };
  }
  const { code } = error as NodeJS.ErrnoException;
  return { isTerminal: false, message, code, hint: undefined, data: {} };
};

/** The error again: a TerminalError, or one that looks as the system call's did. */
export const decodeFailure = ({ isTerminal, message, code, hint, data }: Failure): Error =>
  isTerminal
    ? new TerminalError(message, {
        code: code ?? "thread-failed",
        ...(hint !== undefined && { hint }),
        data,
      })
    : Object.assign(new Error(message), code === undefined ? {} : { code });
