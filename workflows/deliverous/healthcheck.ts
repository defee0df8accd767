/** Compose's health check, with Docker's defaults. */
import type { Healthcheck } from "../container-spec.ts";
import { accept, type Outcome, refuse } from "./outcome.ts";

export interface HealthcheckEntry {
  readonly test?: string | readonly string[] | undefined;
  readonly interval?: number | undefined;
  readonly timeout?: number | undefined;
  readonly retries?: number | undefined;
  readonly start_period?: number | undefined;
  readonly disable?: boolean | undefined;
}

/** Docker's own defaults: docs.docker.com/reference/dockerfile/#healthcheck */
const DEFAULTS = { intervalMs: 30_000, timeoutMs: 30_000, retries: 3, startPeriodMs: 0 };

const EXAMPLE = 'write `test: curl -f http://localhost/` or `test: ["CMD", "program", "argument"]`';

/** `disable: true` and `test: ["NONE"]` both say: ignore the image's check. */
export const parseHealthcheck = (entry: HealthcheckEntry): Outcome<Healthcheck> => {
  const test = parseTest(entry);
  if (!test.ok) return test;
  return accept({
    test: test.value,
    intervalMs: entry.interval ?? DEFAULTS.intervalMs,
    timeoutMs: entry.timeout ?? DEFAULTS.timeoutMs,
    retries: entry.retries ?? DEFAULTS.retries,
    startPeriodMs: entry.start_period ?? DEFAULTS.startPeriodMs,
  });
};

const parseTest = ({ test, disable = false }: HealthcheckEntry): Outcome<string[]> => {
  const [kind, ...words] = typeof test === "string" ? ["CMD-SHELL", test] : (test ?? []);
  if (disable || kind === "NONE") {
    return (disable && test !== undefined && kind !== "NONE") || words.length > 0
      ? refuse("the health check is disabled and has a test", "keep one of them")
      : accept(["NONE"]);
  }
  if (test === undefined) return refuse("the health check has no test", EXAMPLE);
  const isComplete = kind === "CMD-SHELL" ? words.length === 1 : words.length >= 1;
  if ((kind !== "CMD" && kind !== "CMD-SHELL") || !isComplete || words[0]?.trim() === "") {
    return refuse('a test is a string, or a list that begins with "CMD" or "CMD-SHELL"', EXAMPLE);
  }
  return accept([kind, ...words]);
};
