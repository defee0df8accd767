/** What a chaos run has seen, held against what was promised. Pure, so that it can itself be tested. */

/** An answer to an append: when it was asked and when it was there, on the tester's clock. */
export interface Acknowledged {
  readonly n: number;
  readonly instance: string;
  readonly askedMs: number;
  readonly answeredMs: number;
}

/** An answer of whoever served: the same, without a record. */
export type Sighting = Omit<Acknowledged, "n">;

export interface LogLine {
  readonly n: number | null;
  readonly instance: string;
}

export interface Verdict {
  readonly acknowledged: number;
  /** Acknowledged, and neither in the log nor in a branch. */
  readonly lost: readonly number[];
  /** Acknowledged, and only in a branch: a lost node alone had it, and others have gone on without. */
  readonly aside: readonly number[];
  /** Acknowledged, and more than once in the log. */
  readonly repeated: readonly number[];
  /** Acknowledged in this order, and not in it in the log. */
  readonly disordered: readonly number[];
  /** Answers of an instance after a later one had answered, and records of one in another's turn. */
  readonly overlaps: readonly string[];
  readonly instances: number;
}

export const judge = (
  acknowledged: readonly Acknowledged[],
  sightings: readonly Sighting[],
  log: readonly LogLine[],
  branches: readonly LogLine[] = [],
): Verdict => {
  const kept = new Set(branches.map(({ n }) => n));
  const missing = (n: number): boolean => !counts.has(n);
  const counts = new Map<number, number>();
  for (const { n } of log) if (n !== null) counts.set(n, (counts.get(n) ?? 0) + 1);
  const places = new Map(log.map(({ n }, place) => [n, place]));
  const found = acknowledged.filter(({ n }) => counts.has(n));
  return {
    acknowledged: acknowledged.length,
    lost: acknowledged.filter(({ n }) => missing(n) && !kept.has(n)).map(({ n }) => n),
    aside: acknowledged.filter(({ n }) => missing(n) && kept.has(n)).map(({ n }) => n),
    repeated: found.filter(({ n }) => (counts.get(n) ?? 0) > 1).map(({ n }) => n),
    disordered: found
      .filter(({ n }, i) => (places.get(n) ?? 0) < (places.get(found[i - 1]?.n ?? n) ?? 0))
      .map(({ n }) => n),
    overlaps: [
      ...findLateAnswers([...acknowledged, ...sightings], log, branches.length > 0),
      ...findIntruders(log),
    ],
    instances: log.filter(({ n }) => n === null).length,
  };
};

/**
 * By the log the instances have an order: once a later one has answered, no earlier one may. A log that
 * goes on without some of them does not tell it; then it is the order of their first answers.
 */
const findLateAnswers = (
  answers: readonly Sighting[],
  log: readonly LogLine[],
  hasBranches: boolean,
): string[] => {
  const turns = new Map<string, number>();
  const begun = hasBranches
    ? [...answers].sort((a, b) => a.answeredMs - b.answeredMs)
    : log.filter(({ n }) => n === null);
  for (const { instance } of begun) if (!turns.has(instance)) turns.set(instance, turns.size);
  const late: string[] = [];
  const byAnswer = [...answers].sort((a, b) => a.answeredMs - b.answeredMs);
  const byQuestion = [...answers].sort((a, b) => a.askedMs - b.askedMs);
  let next = 0;
  let newest: Sighting | null = null;
  for (const answer of byQuestion) {
    for (; (byAnswer[next]?.answeredMs ?? Number.POSITIVE_INFINITY) < answer.askedMs; next += 1) {
      const known = byAnswer[next];
      if (known !== undefined && turnOf(turns, known) > turnOf(turns, newest)) newest = known;
    }
    if (newest !== null && turnOf(turns, answer) < turnOf(turns, newest)) {
      late.push(`${answer.instance} answered after ${newest.instance} had`);
    }
  }
  return late;
};

/** An instance that is not in the log began before all of it, or its beginning was lost. */
const turnOf = (turns: ReadonlyMap<string, number>, answer: Sighting | null): number =>
  answer === null ? -2 : (turns.get(answer.instance) ?? -1);

const findIntruders = (log: readonly LogLine[]): string[] => {
  let current = "";
  return log.flatMap(({ n, instance }) => {
    if (n === null) current = instance;
    return instance === current ? [] : [`record ${n} of ${instance} in the turn of ${current}`];
  });
};
