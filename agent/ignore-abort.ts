/** For loops that end with their signal: its abort is their end, and anything else an error. */
export const ignoreAbort =
  (signal: AbortSignal) =>
  (error: unknown): void => {
    if (!signal.aborted) throw error;
  };
