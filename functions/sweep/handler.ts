/** The timer's handler, the same under Lambda and under the local runtime. */
import middy from "@middy/core";
import { systemClock } from "../../adapters/clock.ts";
import type { ControlPorts } from "../control-ports.ts";
import { createLeaseEyes, createLeaseWatch, type SeeLeases } from "./find-expired-leases.ts";
import { sweep } from "./sweep.ts";
import { createTurnsOfMany } from "./turns-of-many.ts";

/** What a schedule sends; nothing in it is needed. */
export type ScheduledEvent = object;

export const createHandler = (
  ports: Pick<ControlPorts, "store" | "send" | "log">,
  processSignal: AbortSignal = new AbortController().signal,
  monotonicMs: () => number = () => systemClock.monotonicMs(),
  see: SeeLeases = createLeaseEyes(monotonicMs),
) => {
  const leases = createLeaseWatch(monotonicMs, see);
  const turns = createTurnsOfMany();
  return middy<ScheduledEvent, { readonly hints: number }>().handler(
    (_event, _context, { signal }) =>
      sweep(ports, AbortSignal.any([signal, processSignal]), { leases, turns }),
  );
};
