/** The judge of chaos runs finds what it is there to find. */
import { expect, test } from "vitest";
import { type Acknowledged, judge, type LogLine } from "./judge.ts";

const ack = (n: number, instance: string, askedMs = n * 10, answeredMs = n * 10 + 5) =>
  ({ n, instance, askedMs, answeredMs }) satisfies Acknowledged;
const begin = (instance: string): LogLine => ({ n: null, instance });
const line = (n: number, instance: string): LogLine => ({ n, instance });
const log = [begin("a"), line(1, "a"), line(2, "a"), begin("b"), line(4, "b")];
const acks = [ack(1, "a"), ack(2, "a"), ack(4, "b")];

test("a run in which all is well", () => {
  expect(judge(acks, [], log)).toEqual({
    acknowledged: 3,
    ...{ lost: [], aside: [], repeated: [], disordered: [], overlaps: [] },
    instances: 2,
  });
});

test("an unanswered record may be there or not", () => {
  expect(judge(acks.slice(0, 1), [], log).lost).toEqual([]);
});

test("a lost, a repeated and a disordered record", () => {
  expect(judge([...acks, ack(5, "b")], [], log).lost).toEqual([5]);
  expect(judge(acks, [], [...log, line(4, "b")]).repeated).toEqual([4]);
  const swapped = [begin("a"), line(2, "a"), line(1, "a"), begin("b"), line(4, "b")];
  expect(judge(acks, [], swapped).disordered).toEqual([2]);
});

test("an older instance that still answers, and one that writes in another's turn", () => {
  const late = { instance: "a", askedMs: 50, answeredMs: 60 };
  expect(judge(acks, [late], log).overlaps).toEqual(["a answered after b had"]);
  const underWay = { instance: "a", askedMs: 44, answeredMs: 60 };
  expect(judge(acks, [underWay], log).overlaps).toEqual([]);
  expect(judge(acks, [], [...log, line(6, "a")]).overlaps).toEqual([
    "record 6 of a in the turn of b",
  ]);
});

test("what a lost node alone had is aside when a branch has it, and lost when none has", () => {
  const acked = [ack(1, "a"), ack(2, "a"), ack(3, "lost"), ack(4, "b")];
  const branch = [...log.slice(0, 3), begin("lost"), line(3, "lost")];
  expect(judge(acked, [], log, branch)).toMatchObject({ lost: [], aside: [3], overlaps: [] });
  expect(judge(acked, [], log)).toMatchObject({ lost: [3], aside: [] });
  const late = { instance: "lost", askedMs: 50, answeredMs: 60 };
  expect(judge(acked, [late], log, branch).overlaps).toEqual(["lost answered after b had"]);
});
