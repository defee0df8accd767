/**
 * The garbage rule, and nothing else: which object no snapshot can ever need again. An object is garbage
 * when no root reaches it and whoever wrote it will never write again: then nothing will ever refer to
 * it, so that a collector that was paused for a day deletes nothing it should not. "It is there already"
 * is never a reason to refer to an object, and keys are never used twice: without these two rules this
 * one would not be safe. Pure: what the store holds is read in collect.ts.
 */

/** Who wrote an object, as its name or its content says. */
export interface Writer {
  readonly epoch: number;
  readonly attempt: string;
}

/** What the record says of a volume, as it was before anything was listed. */
export interface GarbageRule {
  /** Objects of this epoch and later ones stay, but for those of attempts that are over. */
  readonly currentEpoch: number;
  /** Tells the attempts that the record lists as ended: nothing will refer to what they write. */
  readonly endedAttempts: Pick<ReadonlySet<string>, "has">;
}

/** Objects whose writer can't be told stay. */
export const isGarbage = (
  object: { readonly isReachable: boolean; readonly writer: Writer | null },
  rule: GarbageRule,
): boolean => !object.isReachable && object.writer !== null && isOver(object.writer, rule);

const isOver = (
  { epoch, attempt }: Writer,
  { currentEpoch, endedAttempts }: GarbageRule,
): boolean => epoch < currentEpoch || endedAttempts.has(attempt);
