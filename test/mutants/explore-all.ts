/** The scenarios that `npm test` explores, until something is found broken; the answer is a line of JSON. */
import { explore } from "../explore/explore.ts";
import { PINNED } from "../explore/pinned.ts";
import { openSubject } from "../explore/subjects.ts";

/** A mutant may make more happen than the rules do; so much more is looked at. */
const MORE_RATIO = 1.25;

const findBreach = (): { readonly breach: string | null; readonly others: readonly string[] } => {
  const others: string[] = [];
  for (const [name, pinned] of PINNED) {
    const extent = { statesMax: Math.ceil(pinned * MORE_RATIO) };
    const { breach, states } = explore(openSubject(name, null), extent);
    if (breach !== null) {
      const steps = breach.story.length - 1;
      return { breach: `${breach.what.split(":")[0]} in ${name}, ${steps} steps`, others };
    }
    if (states !== pinned) others.push(name);
  }
  return { breach: null, others };
};

console.log(JSON.stringify(findBreach()));
