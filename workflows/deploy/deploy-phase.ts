/** Where a deploy stands, and whom it waits for. */
import * as z from "zod";
import { Epoch, NodeId } from "../ids.ts";

/** One piece of work that the deploy waits for: `step` is unique in the deploy. */
export const Await = z.strictObject({ step: z.string(), node: NodeId });
export type Await = z.infer<typeof Await>;

const awaiting = { awaits: z.array(Await), sinceMs: z.int(), deadlineAtMs: z.int() };

/** Where a deploy stands. A field exists only in the phases where it means something. */
export const Phase = z.discriminatedUnion("name", [
  z.strictObject({
    name: z.literal("copying"),
    round: z.int().positive(),
    /** Nothing is copied: no node writes a volume of the deploy, or none is written to. */
    final: z.boolean(),
    ...awaiting,
  }),
  z.strictObject({ name: z.literal("draining"), epoch: Epoch, ...awaiting }),
  z.strictObject({ name: z.literal("sealed"), epoch: Epoch, ...awaiting }),
  z.strictObject({ name: z.literal("starting"), epoch: Epoch, ...awaiting }),
  z.strictObject({ name: z.literal("unstarting"), epoch: Epoch, reason: z.string(), ...awaiting }),
  z.strictObject({ name: z.literal("returning"), epoch: Epoch, reason: z.string(), ...awaiting }),
]);
export type Phase = z.infer<typeof Phase>;
export type PhaseName = Phase["name"];
