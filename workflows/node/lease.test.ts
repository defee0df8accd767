/** When a watcher may take a session for over, and that its node has stopped by then. */
import { expect, test } from "vitest";
import { LeaseSession, NodeId } from "../ids.ts";
import {
  expireAfterMs,
  guardAfterMs,
  guardedProjects,
  guardedVolumes,
  type Lease,
  renewEveryMs,
  type SeenLeases,
  stopWithinMs,
  watchLeases,
} from "./lease.ts";

const TTL_MS = 30_000;
const lease = (renewal: string, session = 1): Lease => ({
  node: NodeId.parse("x"),
  bootId: "b",
  session: LeaseSession.parse(session),
  renewal,
  ttlMs: TTL_MS,
  guards: ["shop/data", "shop/more", "blog/data"],
});
const NONE: SeenLeases = new Map();

test("a session is over when its last renewal was seen long enough ago, on the watcher's clock", () => {
  const first = watchLeases(NONE, [lease("a")], 1_000);
  const wait = expireAfterMs(TTL_MS);
  expect(watchLeases(first.seen, [lease("a")], 1_000 + wait - 1).expired).toEqual([]);
  expect(watchLeases(first.seen, [lease("a")], 1_000 + wait).expired).toEqual([lease("a")]);
});

test("a renewal, a new session or the lease's end starts the watch anew", () => {
  const wait = expireAfterMs(TTL_MS);
  const first = watchLeases(NONE, [lease("a")], 0);
  for (const next of [lease("b"), lease("a", 2)]) {
    const renewed = watchLeases(first.seen, [next], wait);
    expect(renewed.expired).toEqual([]);
    expect(watchLeases(renewed.seen, [next], 2 * wait - 1).expired).toEqual([]);
  }
  const gone = watchLeases(first.seen, [], 1);
  expect(watchLeases(gone.seen, [lease("a")], wait).expired).toEqual([]);
});

test("30: what is guarded has stopped before anybody may take the session for over", () => {
  for (const ttlMs of [3_000, 30_000, 600_000]) {
    const stoppedAtMs = guardAfterMs(ttlMs) + stopWithinMs(ttlMs);
    const slowClock = 1.1;
    expect(stoppedAtMs * slowClock).toBeLessThan(expireAfterMs(ttlMs));
  }
});

/** A third of 8 s was once given to a timer that takes whole milliseconds only: no lease was held. */
test("all times of a lease are whole milliseconds, whatever its length", () => {
  for (let ttlMs = 3_000; ttlMs <= 600_000; ttlMs += 1_000) {
    const times = [renewEveryMs, guardAfterMs, stopWithinMs, expireAfterMs].map((of) => of(ttlMs));
    expect(times.every(Number.isInteger)).toBe(true);
  }
});

test("a lease tells whose volumes its guard watches", () => {
  expect(guardedVolumes(lease("a"), "shop")).toEqual(["data", "more"]);
  expect(guardedProjects(lease("a"))).toEqual(["shop", "blog"]);
});
