/** Typed keys of a record whose keys are branded names. */
export const keysOf = <K extends string>(record: Readonly<Partial<Record<K, unknown>>>): K[] =>
  Object.keys(record) as K[];

/** Maps the values of a record, keeping its keys; `undefined` drops the entry. */
export const mapRecord = <K extends string, A, B>(
  record: Readonly<Record<K, A>>,
  mapOne: (value: A, key: K) => B | undefined,
): Record<K, B> => {
  const mapped = {} as Record<K, B>;
  for (const key of keysOf<K>(record)) {
    const value = mapOne(record[key], key);
    if (value !== undefined) mapped[key] = value;
  }
  return mapped;
};
