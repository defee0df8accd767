/** Gives equal values the same small number, so that states compare and pack as numbers. */

export interface Interner<V> {
  readonly idOf: (value: V) => number;
  readonly valueOf: (id: number) => V;
  readonly count: () => number;
}

export const createInterner = <V>(keyOf: (value: V) => string): Interner<V> => {
  const ids = new Map<string, number>();
  const values: V[] = [];
  const known = new WeakMap<object, number>();
  return {
    idOf: (value) => {
      const isObject = typeof value === "object" && value !== null;
      const same = isObject ? known.get(value) : undefined;
      if (same !== undefined) return same;
      const key = keyOf(value);
      let id = ids.get(key);
      if (id === undefined) {
        id = values.length;
        ids.set(key, id);
        values.push(value);
      }
      if (isObject) known.set(value, id);
      return id;
    },
    valueOf: (id) => {
      const value = values[id];
      if (value === undefined) throw new Error(`nothing has the number ${id}`);
      return value;
    },
    count: () => values.length,
  };
};

/** Computes once per key. */
export const memoise = <A extends readonly unknown[], R>(
  keyOf: (...args: A) => string,
  compute: (...args: A) => R,
): ((...args: A) => R) => {
  const known = new Map<string, R>();
  return (...args) => {
    const key = keyOf(...args);
    const found = known.get(key);
    if (found !== undefined) return found;
    const made = compute(...args);
    known.set(key, made);
    return made;
  };
};

/** JSON with sorted keys: equal values have equal texts. */
export const canonicalJson = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
