/**
 * Small wrong changes of the rules, one at a time: a condition dropped, a comparison off by one, a check
 * left out. Each names the text that it changes, which must stand in the file exactly once.
 */

export interface Mutant {
  readonly file: string;
  readonly says: string;
  readonly from: string;
  readonly to: string;
  /** Why nothing can tell it from the rule as it is. */
  readonly isHarmless?: string;
}

/** Mutants of one file. */
export const mutantOf =
  (file: string) =>
  (says: string, from: string, to: string, isHarmless?: string): Mutant => ({
    ...{ file, says, from, to },
    ...(isHarmless !== undefined && { isHarmless }),
  });
