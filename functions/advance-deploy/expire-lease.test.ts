/** The end of a lease over the real control functions: when it is looked at, and how often. */
import { beforeEach, expect, test } from "vitest";
import { leaseKey } from "../../adapters/store-keys.ts";
import { LeaseSession, NodeId } from "../../workflows/ids.ts";
import { encodeJson } from "../json-object.ts";
import { LeaseExpired } from "../messages.ts";
import { advanceProject } from "./advance-project.ts";
import { type ControlWorld, openControlWorld, project } from "./control-world.fixture.ts";
import { expireLease } from "./expire-lease.ts";

const signal = new AbortController().signal;
const node = NodeId.parse("x");
const over = LeaseExpired.parse({
  ...{ type: "lease.expired", version: 1, project, node, session: LeaseSession.parse(1) },
});
let world: ControlWorld;

const putLease = (session: number): Promise<unknown> => {
  const lease = { node, bootId: "b", session, renewal: `${session}`, ttlMs: 15_000, guards: [] };
  return world.ports.store.put(leaseKey(node), encodeJson(lease), {}, signal);
};
const expire = (ports = world.ports): Promise<void> =>
  expireLease(ports, (request, either) => advanceProject(ports, request, either), over, signal);

beforeEach(async () => {
  world = await openControlWorld();
  await putLease(1);
  await world.request("one");
  await world.advance("one");
  while ((await world.state()).deploy?.phase.name !== "starting") {
    for (const step of world.takeSteps()) await world.answer(step);
    await world.advance();
  }
});

test("31: a deploy whose target is gone for good comes to its end by looks of its own", async () => {
  await expire();
  expect(await world.state()).toMatchObject({ deploy: null, history: [{ result: "failed" }] });
});

// The look was older than the record that it was held against.
test("31: a lease is looked at after the record: a session that has begun by then counts", async () => {
  const { records } = world.ports;
  const load: typeof records.load = async (...of) => {
    const loaded = await records.load(...of);
    await putLease(2);
    return loaded;
  };
  await expire({ ...world.ports, records: { ...records, load } });
  expect((await world.state()).deploy?.phase.name).toBe("starting");
});
