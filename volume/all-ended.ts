/**
 * Waits until every piece of work has ended, and only then throws what the first of them, in their order,
 * failed with: nothing goes on behind the caller's back, and no failure is nobody's.
 */
export const allEnded = async (work: readonly Promise<unknown>[]): Promise<void> => {
  for (const one of await Promise.allSettled(work)) {
    if (one.status === "rejected") throw one.reason;
  }
};
