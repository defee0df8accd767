/** The scenarios that are small enough for every day, and how many states each has, exactly. */
export const PINNED = [
  ["collect-one", 3_265],
  ["way-back", 10_948],
  ["collect-slow", 12_583],
  ["stay", 24_015],
  ["sick", 27_654],
  ["move", 28_494],
  ["fail-over", 254_117],
] as const;
