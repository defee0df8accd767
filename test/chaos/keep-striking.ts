/** Faults on a running installation, one or two at a time, in the order that a seed gives. */
import { setTimeout as delay } from "node:timers/promises";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { allEnded } from "../../volume/all-ended.ts";
import type { Random } from "../simulation/random.ts";
import type { ChaosSite, FAULTS, Struck } from "./faults.ts";

const HELD_MS = [300, 4_000] as const;
const PAUSE_MS = [500, 3_000] as const;
const HEAL_TIMEOUT_MS = 90_000;
/** A second fault strikes while the first one lasts. */
const PAIR_SHARE = 0.25;

interface Lasting {
  readonly kind: string;
  readonly fault: Struck;
}

export const keepStriking = async (
  site: ChaosSite,
  faults: typeof FAULTS,
  durationMs: number,
  note: (line: string) => void,
): Promise<string[]> => {
  const { random } = site;
  const endMs = performance.now() + durationMs;
  const struck: string[] = [];
  let kinds: string[] = [];
  while (performance.now() < endMs) {
    // Every kind once before any of them a second time.
    if (kinds.length === 0) kinds = shuffle(Object.keys(faults), random);
    const both = kinds.splice(0, random.chance(PAIR_SHARE) ? 2 : 1);
    const lasting: Lasting[] = [];
    for (const kind of both) {
      const fault = await strikeOnce(faults, kind, site, note);
      if (fault !== null) lasting.push({ kind, fault });
    }
    struck.push(...lasting.map(({ kind }) => kind));
    if (lasting.length > 1) struck.push("of them while another one lasted");
    const heldMs = Math.max(...lasting.map(({ fault }) => fault.heldMs ?? 0));
    await delay(Math.max(heldMs, random.between(...HELD_MS)));
    // At once: a control process that was killed does not start before its store answers again.
    await allEnded(lasting.map((one) => heal(site, one, note)));
    await delay(random.between(...PAUSE_MS));
  }
  return struck;
};

/** Null: it can't strike beside what lasts already, as a process can't be killed that is dead. */
const strikeOnce = async (
  faults: typeof FAULTS,
  kind: string,
  site: ChaosSite,
  note: (line: string) => void,
): Promise<Struck | null> => {
  try {
    const fault = await faults[kind]?.(site);
    if (fault !== undefined) note(`${kind}: ${fault.what}`);
    return fault ?? null;
  } catch (error) {
    note(`${kind}: not now: ${String(error)}`);
    return null;
  }
};

const heal = async (
  { signal }: ChaosSite,
  { fault, kind }: Lasting,
  note: (line: string) => void,
): Promise<void> => {
  await waitUntil(
    async () => {
      await fault.heal();
      return true;
    },
    { what: `${kind} is healed`, timeoutMs: HEAL_TIMEOUT_MS, intervalMs: 1_000 },
    signal,
  );
  note(`${kind}: ${fault.what} is healed`);
};

const shuffle = (items: readonly string[], random: Random): string[] =>
  items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
