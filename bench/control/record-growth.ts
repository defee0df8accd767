/** How large a project's record is after many deploys, by the rules alone: all that a read or write costs. */
import {
  given,
  one,
  request,
  resolved,
  start,
  two,
  until,
} from "../../workflows/deploy/given-deploys.ts";
import type { ProjectState } from "../../workflows/record.ts";

export const recordBytes = (deployCounts: readonly number[]): Map<number, number> => {
  const sizes = new Map<number, number>();
  let state: ProjectState = start;
  for (let n = 1; n <= Math.max(...deployCounts); n += 1) {
    const spec = n % 2 === 0 ? two : one;
    const letter = n % 2 === 0 ? "b" : "a";
    state = until(given(state, request(`${n}`), resolved(`${n}`, letter, spec)), null);
    const ended = state.history.at(-1);
    if (ended?.result !== "deployed") throw new Error(`deploy ${n}: ${ended?.reason}`);
    state = given(state, { type: "deploy.archived", deployId: ended.id });
    if (deployCounts.includes(n)) sizes.set(n, Buffer.byteLength(JSON.stringify(state)));
  }
  return sizes;
};
