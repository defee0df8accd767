/** Makes an object at a name that must be free. */
import { refuseEntry } from "./budget.ts";

/** On a file system that folds names, two entries can be one: never one written over the other. */
export const createAt = <T>(path: Buffer, make: () => T): T => {
  try {
    return make();
  } catch (error) {
    const isTwin = (error as NodeJS.ErrnoException).code === "EEXIST";
    throw isTwin ? refuseEntry(path, "stands twice in the snapshot") : error;
  }
};
