/** A database server under load is what volumes are for: `npm run bench -- postgres` moves it more often. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { movePostgres } from "./postgres-scene.ts";

const MOVES = 2;
const signal = AbortSignal.timeout(280_000);
let lab: Lab;

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
});
afterAll(() => lab?.stop(AbortSignal.timeout(60_000)));

test("PostgreSQL moves under pgbench: indexes are sound, no committed transaction is missing", async () => {
  const run = await movePostgres(lab, { moves: MOVES, scale: 2, log: () => undefined }, signal);
  expect(run.moves.map(({ result }) => result)).toEqual(Array(MOVES).fill("deployed"));
  expect(run.moves.flatMap(({ missing }) => missing)).toEqual([]);
  expect(run.corruption).toEqual([]);
  expect(run.isBalanced).toBe(true);
  expect(run.moves.at(-1)?.acknowledged).toBeGreaterThan(0);
  expect(run.pgbenchCommitted).toBeGreaterThan(0);
});
