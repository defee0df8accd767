/**
 * Watches leases where each look may be another process's, as under Lambda. A lease is over once one
 * process has seen it unchanged for long enough by its own clock, so a process must stay that long.
 * What the last look saw is noted in the store, and tells when that is worth it. Of a note only a
 * verdict is believed, never a time: a renewal is never used twice, so what is over stays over.
 */
import * as z from "zod";
import type { Clock } from "../../adapters/clock.ts";
import { LEASES_SEEN_KEY } from "../../adapters/store-keys.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { LeaseSession, NodeId } from "../../workflows/ids.ts";
import type { Lease } from "../../workflows/node/lease.ts";
import { encodeJson, readJsonObject } from "../json-object.ts";
import { createLeaseEyes, type SeeLeases } from "./find-expired-leases.ts";

const Note = z.object({
  node: NodeId,
  session: LeaseSession,
  renewal: z.string(),
  /** A process has watched it to its end. */
  isOver: z.boolean(),
});
const Notes = z.array(Note);
type Notes = z.infer<typeof Notes>;

/** Well below the shortest lease's renewals. */
const LOOK_EVERY_MS = 2_000;

export const createStayingEyes = (clock: Pick<Clock, "monotonicMs" | "sleep">): SeeLeases => {
  const see = createLeaseEyes(() => clock.monotonicMs());
  return async ({ store }, signal) => {
    const notes = (await readJsonObject(store, LEASES_SEEN_KEY, Notes, signal)) ?? [];
    let seen = await see({ store }, signal);
    const isOver = (lease: Lease): boolean =>
      seen.expired.includes(lease) || findNote(notes, lease)?.isOver === true;
    const isSilent = (lease: Lease): boolean => findNote(notes, lease) !== undefined;
    while (seen.leases.some((lease) => isSilent(lease) && !isOver(lease))) {
      await clock.sleep(LOOK_EVERY_MS, signal);
      seen = await see({ store }, signal);
    }
    await writeNotes(store, { known: notes, leases: seen.leases, isOver }, signal);
    return { leases: seen.leases, expired: seen.leases.filter(isOver) };
  };
};

/** What was noted of the lease since its last renewal. */
const findNote = (notes: Notes, { node, session, renewal }: Lease): Notes[number] | undefined =>
  notes.find((note) => note.node === node && note.session === session && note.renewal === renewal);

const writeNotes = async (
  store: ObjectStore,
  seen: {
    readonly known: Notes;
    readonly leases: readonly Lease[];
    readonly isOver: (lease: Lease) => boolean;
  },
  signal: AbortSignal,
): Promise<void> => {
  const notes = seen.leases.map((lease) => {
    const { node, session, renewal } = lease;
    return { node, session, renewal, isOver: seen.isOver(lease) };
  });
  if (JSON.stringify(notes) === JSON.stringify(seen.known)) return;
  await store.put(LEASES_SEEN_KEY, encodeJson(notes), { contentType: "application/json" }, signal);
};
