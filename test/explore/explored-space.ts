/** What can be explored: states of a fixed number of words each, and what can happen in them. */

/** The next state's words (to be copied), the label's number, and what the move itself breaks. */
export type Visit = (next: Uint32Array, label: number, breach: string | null) => void;

export interface Goal {
  /** What it means that no such state can be reached any more. */
  readonly otherwise: string;
  readonly isReached: (state: Uint32Array) => boolean;
}

export interface ExploredSpace {
  readonly width: number;
  readonly start: () => Uint32Array;
  readonly visitNext: (state: Uint32Array, visit: Visit) => void;
  /** Puts in the state's place, in place, the one that stands for all that are it but for names. */
  readonly canonical: (state: Uint32Array) => void;
  /** What is broken in the state, or null. */
  readonly check: (state: Uint32Array) => string | null;
  /** From every state one of each must be in reach. */
  readonly goals: readonly Goal[];
  /** What is found broken once all is known, and in which states. */
  readonly afterwards: () => {
    readonly what: string;
    readonly isIn: (state: Uint32Array) => boolean;
  } | null;
  /** The record in a few words, for the story. */
  readonly describe: (state: Uint32Array) => string;
  readonly labelOf: (text: string) => number;
  readonly labelText: (label: number) => string;
  readonly recordCount: () => number;
  /** How requests ended, in some state. */
  readonly ends: () => string[];
}
