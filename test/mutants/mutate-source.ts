/** A source with one small wrong change in it. */
import { MUTANTS } from "./mutants.ts";

/** Null: the mutant is of another file. */
export const mutateSource = (index: number, path: string, source: string): string | null => {
  const mutant = MUTANTS[index];
  if (mutant === undefined) throw new Error(`there is no mutant ${index}`);
  if (!path.endsWith(`/${mutant.file}`)) return null;
  const parts = source.split(mutant.from);
  if (parts.length !== 2) throw new Error(`${mutant.file} has not once what ${index} changes`);
  return parts.join(mutant.to);
};
