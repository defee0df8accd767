/**
 * Finds out where a container's clients are let in now, by knocking at the doors of the nodes where
 * it may be. Many clients wait for one search; while nobody waits nothing is asked.
 */
import type { DoorAddress } from "../../adapters/enter-door.ts";
import { untilAborted } from "./until-aborted.ts";

export interface LocatorPorts {
  /** Doors that may lead to the container, as the record has it now. */
  readonly readPlaces: (signal: AbortSignal) => Promise<readonly DoorAddress[]>;
  /** Rejects when the door does not lead there. */
  readonly knock: (place: DoorAddress, signal: AbortSignal) => Promise<void>;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly nowMs: () => number;
  readonly onError: (error: unknown) => void;
}

export interface Locator {
  /** Rejects with the signal's reason when that aborts first. */
  locate(signal: AbortSignal): Promise<DoorAddress>;
  /** A door that was located does not lead there any more. */
  forget(place: DoorAddress): void;
}

/** What a client waits for on average beyond the move itself is half of it. */
const KNOCK_EVERY_MS = 25;
/** A container that is away for longer than a move takes is not looked for as eagerly. */
const EAGER_MS = 15_000;
const KNOCK_SLOWLY_EVERY_MS = 500;
/** A node that died does not answer: the others must not be left waiting for it. */
const KNOCK_TIMEOUT_MS = 500;

export const createLocator = (ports: LocatorPorts): Locator => {
  let known: DoorAddress | null = null;
  let search: { readonly found: Promise<DoorAddress>; readonly stop: AbortController } | null =
    null;
  let waiting = 0;
  const begin = () => {
    const stop = new AbortController();
    const found = searchDoor(ports, stop.signal).then((place) => {
      known = place;
      return place;
    });
    // Nobody may be left to hear of it.
    found.catch(() => undefined);
    search = { found, stop };
    const mine = search;
    const end = () => {
      if (search === mine) search = null;
    };
    found.then(end, end);
    return mine;
  };
  return {
    locate: async (signal) => {
      if (known !== null) return known;
      const current = search ?? begin();
      waiting += 1;
      try {
        return await untilAborted(current.found, signal);
      } finally {
        waiting -= 1;
        if (waiting === 0) {
          // Whoever comes next must not wait for a search that ends here.
          if (search === current) search = null;
          current.stop.abort(new Error("nobody waits any more"));
        }
      }
    },
    forget: (place) => {
      if (known === place) known = null;
    },
  };
};

const searchDoor = async (ports: LocatorPorts, signal: AbortSignal): Promise<DoorAddress> => {
  const beganMs = ports.nowMs();
  for (;;) {
    const found = await knockAtAll(ports, signal);
    if (found !== null) return found;
    const isEager = ports.nowMs() - beganMs < EAGER_MS;
    await ports.sleep(isEager ? KNOCK_EVERY_MS : KNOCK_SLOWLY_EVERY_MS, signal);
  }
};

const knockAtAll = async (
  ports: LocatorPorts,
  signal: AbortSignal,
): Promise<DoorAddress | null> => {
  try {
    const places = await ports.readPlaces(signal);
    const knocking = AbortSignal.any([signal, AbortSignal.timeout(KNOCK_TIMEOUT_MS)]);
    const knocks = places.map((place) => ports.knock(place, knocking).then(() => place));
    return await Promise.any(knocks).catch(() => null);
  } catch (error) {
    signal.throwIfAborted();
    ports.onError(error);
    return null;
  }
};
