/** Tells whether two container specs ask for the same thing. */
import type { ContainerSpec } from "../container-spec.ts";

/** Equal in every field, whatever the order of their keys. */
export const sameSpec = (a: ContainerSpec, b: ContainerSpec): boolean =>
  canonical(a) === canonical(b);

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([x], [y]) => (x < y ? -1 : 1)))
      : inner,
  );
