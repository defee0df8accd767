/** The scenarios that `npm test` explores, until something is found broken; the answer is a line of JSON. */
import { explore } from "../explore/explore.ts";
import { PINNED } from "../explore/pinned.ts";
import { openSubject } from "../explore/subjects.ts";

/** A mutant may make more happen than the rules do. */
const STATES_MAX = 300_000;

const findBreach = (): { readonly breach: string | null; readonly others: readonly string[] } => {
  const others: string[] = [];
  for (const [name, pinned] of PINNED) {
    const { breach, states } = explore(openSubject(name, null), { statesMax: STATES_MAX });
    if (breach !== null) {
      const steps = breach.story.length - 1;
      return { breach: `${breach.what.split(":")[0]} in ${name}, ${steps} steps`, others };
    }
    if (states !== pinned) others.push(name);
  }
  return { breach: null, others };
};

console.log(JSON.stringify(findBreach()));
