/** Under which session of the node's lease a container may start. */
import { expect, test } from "vitest";
import { DATA, spec, WEB, X } from "../workflows/deploy/given-deploys.ts";
import { Epoch, LeaseSession, ProjectId } from "../workflows/ids.ts";
import type { RunOrder } from "../workflows/node/assignment.ts";
import { coverOrder } from "./cover-order.ts";
import type { NodePorts } from "./node-ports.ts";

const [FIRST, SECOND] = [1, 2].map((n) => LeaseSession.parse(n)) as [LeaseSession, LeaseSession];
const signal = new AbortController().signal;
const orderOf = (mayHydrate: boolean, known: LeaseSession | null): RunOrder => ({
  container: WEB,
  epoch: Epoch.parse(6),
  spec: spec("one", X),
  gate: mayHydrate ? "closed" : "open",
  mayHydrate,
  volumes: [],
  leases: [{ volume: DATA, session: known }],
});
const cover = (order: RunOrder, heldSince: LeaseSession | null, now: LeaseSession) => {
  const lease = { cover: async () => now } as Partial<NodePorts["lease"]> as NodePorts["lease"];
  return coverOrder({ lease }, ProjectId.parse("p"), { order, heldSince }, signal);
};

// A step that a node read before it was cut off went on under its next session; meanwhile the end of
// the one before had been seen, and the old version ran again elsewhere. Its ports were closed.
test("before the commit a session that began since the record was read starts nothing", async () => {
  await expect(cover(orderOf(true, null), FIRST, SECOND)).rejects.toMatchObject({
    code: "lease-unknown",
  });
  await expect(cover(orderOf(true, null), null, FIRST)).rejects.toMatchObject({
    code: "lease-unknown",
  });
  expect(await cover(orderOf(true, null), FIRST, FIRST)).toBe(FIRST);
});

test("after the commit it is the record that names the session", async () => {
  expect(await cover(orderOf(false, SECOND), FIRST, SECOND)).toBe(SECOND);
  await expect(cover(orderOf(false, FIRST), FIRST, SECOND)).rejects.toMatchObject({
    code: "lease-unknown",
  });
});
