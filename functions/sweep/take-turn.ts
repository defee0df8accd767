/**
 * Of the control processes that run side by side one sweeps: who did last goes on, and another takes
 * over once that one is late. Each sweeps at its start, for what was left when the last one ended. Two
 * that sweep at once, as clocks that differ make them, cost requests only.
 */
import * as z from "zod";
import { SWEPT_KEY } from "../../adapters/store-keys.ts";
import type { ControlPorts } from "../control-ports.ts";
import { encodeJson, readJsonObject } from "../json-object.ts";

const Turn = z.strictObject({ by: z.string(), atMs: z.int() });
type Turn = z.infer<typeof Turn>;

/** In periods. */
const LATE = 1.5;

const isTurnOf = (
  me: string,
  last: Turn | null,
  { nowMs, everyMs }: { readonly nowMs: number; readonly everyMs: number },
): boolean =>
  last === null ||
  last.by === me ||
  // By a clock that is ahead: it must not keep all others from sweeping.
  last.atMs > nowMs ||
  nowMs - last.atMs >= everyMs * LATE;

/** Resolves with whether this process is to sweep now. */
export const createTurns = (
  { store, newUuid, nowMs }: Pick<ControlPorts, "store" | "newUuid" | "nowMs">,
  everyMs: number,
): ((signal: AbortSignal) => Promise<boolean>) => {
  const me = newUuid();
  let isStarting = true;
  return async (signal) => {
    // What can't be read is written anew.
    const last = await readJsonObject(store, SWEPT_KEY, Turn, signal).catch(() => null);
    const now = nowMs();
    const isMine = isTurnOf(me, last, { nowMs: now, everyMs });
    const turn: Turn = { by: me, atMs: now };
    // Not at a start alone: who sweeps has watched silent nodes for longer, and goes on.
    if (isMine) await store.put(SWEPT_KEY, encodeJson(turn), {}, signal);
    const isDue = isMine || isStarting;
    isStarting = false;
    return isDue;
  };
};
