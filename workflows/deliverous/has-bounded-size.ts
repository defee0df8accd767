/** Guards all that recurses over a parsed file: aliases can make values deep, huge, or endless. */

const DEPTH_MAX = 32;
const VALUES_MAX = 100_000;

/** Written out without aliases, the value would be finite, of bounded depth and of bounded size. */
export const hasBoundedSize = (value: unknown): boolean => {
  const sizes = new Map<object, number>();
  const open = new Set<object>();
  const sizeOf = (inner: unknown, depth: number): number => {
    if (inner === null || typeof inner !== "object") return 1;
    const known = sizes.get(inner);
    if (known !== undefined) return known;
    if (depth >= DEPTH_MAX || open.has(inner)) return Number.POSITIVE_INFINITY;
    open.add(inner);
    const size = Object.values(inner).reduce<number>(
      (sum, child) => sum + sizeOf(child, depth + 1),
      1,
    );
    open.delete(inner);
    sizes.set(inner, size);
    return size;
  };
  return sizeOf(value, 0) <= VALUES_MAX;
};
