/** What parsing a piece of text gives: a value, or what is wrong with it and what would be right. */

export interface Flaw {
  /** One sentence without a full stop: what is wrong. */
  readonly message: string;
  /** What to write instead. */
  readonly remedy: string;
  /** Keys and indexes below the parsed value; absent: the value itself. */
  readonly at?: readonly (string | number)[];
}

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly flaws: readonly Flaw[] };

export const accept = <T>(value: T): Outcome<T> => ({ ok: true, value });

export const refuse = (message: string, remedy: string): Outcome<never> => ({
  ok: false,
  flaws: [{ message, remedy }],
});
