/** Planted bugs: ways to break a promise, each of which the simulator must find out. */
export const MUTATIONS = [
  "store-ignores-if-absent",
  "seal-before-stop",
  "late-start-finds-its-directory",
  "collector-without-roots",
  "hydrate-loses-the-end",
  "guard-sleeps",
] as const;
export type Mutation = (typeof MUTATIONS)[number] | null;
