/**
 * One lab for all test files of a run: the one that BAGAGE_LAB names, or a new one that ends with
 * the run. Test files find it through the same variable and attachOrStartLab.
 */
import {
  attachOrStartLab,
  descriptionFile,
  FULL_LAB,
  STOP_TIMEOUT_MS,
} from "../../infra/lab/lab.ts";

const START_TIMEOUT_MS = 600_000;

export const setup = async (): Promise<() => Promise<void>> => {
  const signal = AbortSignal.timeout(START_TIMEOUT_MS);
  const lab = await attachOrStartLab(FULL_LAB, (line) => console.log(`lab: ${line}`), signal);
  process.env["BAGAGE_LAB"] = descriptionFile(lab.directory);
  return () => lab.stop(AbortSignal.timeout(STOP_TIMEOUT_MS));
};
