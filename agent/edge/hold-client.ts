/**
 * Takes a client to its container, and holds it while there is no way in: the container moves, is
 * restarted, or its node is. Nothing of the client is read before, so nothing can be lost or sent twice.
 */
import type { Socket } from "node:net";
import type { LimitFunction } from "p-limit";
import type { DoorPreface } from "../../adapters/door-preface.ts";
import { type DoorAddress, enterDoor } from "../../adapters/enter-door.ts";
import { joinSockets } from "../../adapters/joined-sockets.ts";
import type { Locator } from "./locate.ts";
import { untilAborted } from "./until-aborted.ts";

export interface HeldRoute {
  readonly preface: DoorPreface;
  readonly locator: Locator;
  readonly holdMs: number;
  /** Bounds how many enter at once: thousands who were held must not overrun what just came up. */
  readonly entering: LimitFunction;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Reaching a container that is there takes a moment too. */
const HOLD_MIN_MS = 500;
/** A door that leads to a container whose port does not answer. */
const AGAIN_FIRST_MS = 10;
const AGAIN_MAX_MS = 500;
const RETRY_AFTER_S = 5;
/** What the client still has to say is heard to its end, so that it hears the answer. */
const LAST_WORDS_MS = 5_000;

/** The client must be paused, and allow half-open connections. Resolves when it is in, or refused. */
export const holdClient = async (client: Socket, route: HeldRoute): Promise<void> => {
  const gone = new AbortController();
  const leave = () => gone.abort(new Error("the client has left"));
  client.on("error", leave).once("close", leave);
  const hold = AbortSignal.timeout(Math.max(route.holdMs, HOLD_MIN_MS));
  try {
    const upstream = await enter(route, AbortSignal.any([gone.signal, hold]));
    if (client.destroyed) upstream.destroy();
    else joinSockets(client, upstream);
  } catch {
    refuse(client, route.preface.kind);
  }
};

const enter = async (route: HeldRoute, signal: AbortSignal): Promise<Socket> => {
  for (let againMs = AGAIN_FIRST_MS; ; againMs = Math.min(2 * againMs, AGAIN_MAX_MS)) {
    const place: DoorAddress = await route.locator.locate(signal);
    const entering = route.entering(async () => {
      signal.throwIfAborted();
      return enterDoor(place, route.preface, signal);
    });
    try {
      return await untilAborted(entering, signal);
    } catch {
      // It may have come in at the very moment at which the time was up.
      entering.then((upstream) => upstream.destroy()).catch(() => undefined);
      signal.throwIfAborted();
      route.locator.forget(place);
      await route.sleep(againMs, signal);
    }
  }
};

/** Says so where the client speaks HTTP. */
export const refuse = (client: Socket, kind: DoorPreface["kind"]): void => {
  if (client.destroyed) return;
  if (kind !== "request") {
    client.resetAndDestroy();
    return;
  }
  client.end(UNAVAILABLE).resume();
  const cut = setTimeout(() => client.destroy(), LAST_WORDS_MS);
  client.once("close", () => clearTimeout(cut)).once("end", () => client.destroySoon());
};

const TEXT = "The application is not available at the moment. Please try again shortly.\n";
const UNAVAILABLE = [
  "HTTP/1.1 503 Service Unavailable",
  `Retry-After: ${RETRY_AFTER_S}`,
  "Content-Type: text/plain; charset=utf-8",
  `Content-Length: ${TEXT.length}`,
  "Cache-Control: no-store",
  "Connection: close",
  "",
  TEXT,
].join("\r\n");
