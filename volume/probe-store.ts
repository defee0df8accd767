/**
 * The start-up probe: a store that ignores `If-None-Match`, serves old bodies or takes damaged ones
 * would break the promise silently, so it is refused by name before anything is entrusted to it.
 */
import { contentMd5 } from "./digest.ts";
import { AmbiguousError, TerminalError } from "./errors.ts";
import type { ObjectStore, PutOutcome } from "./object-store.ts";

export type CheckOutcome = "passed" | "failed" | "unknown";

export interface StoreCheck {
  readonly name: string;
  readonly outcome: CheckOutcome;
  /** What was seen; for a failed check, what it means. */
  readonly detail: string;
}

export interface ProbeRequest {
  readonly store: ObjectStore;
  /** The probe writes below `<prefix>/probe/<probeId>/` and removes it again. */
  readonly prefix: string;
  /** Never used before: keys of earlier probes must not answer for this one. */
  readonly probeId: string;
}

const RACERS = 16;
const BODY_BYTES = 4_096;
/** A store that leaves this many creates in a row undecided is not fit for anything. */
const AMBIGUOUS_MAX = 5;

interface Finding {
  readonly outcome: CheckOutcome;
  readonly detail: string;
}

type Check = (store: ObjectStore, key: string, signal: AbortSignal) => Promise<Finding>;

/** Runs every check and reports each; throws only when the signal aborts. */
export const probeStore = async (
  { store, prefix, probeId }: ProbeRequest,
  signal: AbortSignal,
): Promise<StoreCheck[]> => {
  const report: StoreCheck[] = [];
  for (const [name, check] of CHECKS) {
    const key = `${prefix}/probe/${probeId}/${name.replaceAll(" ", "-")}`;
    const finding = await check(store, key, signal).catch(async (error: unknown) => {
      signal.throwIfAborted();
      return failed(error instanceof Error ? error.message : String(error));
    });
    report.push({ name, ...finding });
    await store.delete([key], signal).catch(() => signal.throwIfAborted());
  }
  return report;
};

/** Throws TerminalError naming each failed check: nothing may be entrusted to such a store. */
export const assertStoreFit = (checks: readonly StoreCheck[]): void => {
  const bad = checks.filter(({ outcome }) => outcome === "failed");
  if (bad.length === 0) return;
  throw new TerminalError(
    `the store is not fit: ${bad.map(({ name, detail }) => `${name} (${detail})`).join("; ")}`,
    {
      code: "store-unfit",
      hint: "use an unversioned bucket on a store that honours If-None-Match on PUT",
      data: { failed: bad.map(({ name }) => name) },
    },
  );
};

const passed = (detail: string): Finding => ({ outcome: "passed", detail });
const failed = (detail: string): Finding => ({ outcome: "failed", detail });

const bodyOf = (byte: number): Buffer => Buffer.alloc(BODY_BYTES, byte);

/** The rule for an unknown outcome: the same body again, until the store says. */
const createDecided = async (
  store: ObjectStore,
  key: string,
  body: Buffer,
  signal: AbortSignal,
): Promise<PutOutcome> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await store.put(key, body, { ifAbsent: true }, signal);
    } catch (error) {
      if (!(error instanceof AmbiguousError) || tries >= AMBIGUOUS_MAX) throw error;
    }
  }
};

const createsOnce: Check = async (store, key, signal) => {
  const first = bodyOf(1);
  const created = await store.put(key, first, { ifAbsent: true }, signal);
  if (created !== "stored") return failed("a new key was said to exist");
  const again = await store.put(key, bodyOf(2), { ifAbsent: true }, signal);
  const found = await store.get(key, signal);
  if (again !== "exists") return failed("If-None-Match is ignored: a second create succeeded");
  if (found === null || !first.equals(found)) return failed("a refused create changed the body");
  return passed("the second create was refused, the body is the first one");
};

const oneWinner: Check = async (store, key, signal) => {
  const bodies = Array.from({ length: RACERS }, (_, racer) => bodyOf(racer + 1));
  const outcomes = await Promise.all(bodies.map((body) => createDecided(store, key, body, signal)));
  const found = await store.get(key, signal);
  const standing = bodies.findIndex((body) => found !== null && body.equals(found));
  const winners = outcomes.flatMap((outcome, racer) => (outcome === "stored" ? [racer] : []));
  // A racer whose reply was lost sees its own body as existing: then there is no named winner.
  if (winners.length > 1)
    return failed(`${winners.length} of ${RACERS} parallel creates succeeded`);
  if (standing === -1) return failed("the body that stands is no racer's");
  if (winners.length === 1 && winners[0] !== standing) return failed("a loser's body stands");
  return passed(`one of ${RACERS} parallel creates won, and its body stands`);
};

const readsAfterWrite: Check = async (store, key, signal) => {
  for (const byte of [1, 2, 3]) {
    await store.put(key, bodyOf(byte), { ifAbsent: false }, signal);
    const found = await store.get(key, signal);
    if (found === null || !bodyOf(byte).equals(found)) return failed("a read gave an older body");
  }
  await store.delete([key], signal);
  if ((await store.get(key, signal)) !== null) return failed("a deleted object is still served");
  return passed("each read gave the last write");
};

const readsExactRanges: Check = async (store, key, signal) => {
  const body = Buffer.from(Array.from({ length: BODY_BYTES }, (_, i) => (i * 7) % 251));
  await store.put(key, body, { ifAbsent: false }, signal);
  for (const [offset, length] of RANGES) {
    const found = await store.get(key, signal, { offset, length });
    if (found === null || !body.subarray(offset, offset + length).equals(found)) {
      return failed(`the range of ${length} bytes from ${offset} came back different`);
    }
  }
  return passed("ranges came back exact");
};

const RANGES: readonly (readonly [number, number])[] = [
  [0, 1],
  [0, BODY_BYTES],
  [1, 1_000],
  [BODY_BYTES - 1, 1],
];

const refusesDamage: Check = async (store, key, signal) => {
  if (store.putWithDigest === undefined) {
    return { outcome: "passed", detail: "bodies do not cross a network" };
  }
  const wrong = contentMd5(bodyOf(9));
  try {
    await store.putWithDigest(key, bodyOf(8), wrong, signal);
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    return (await store.get(key, signal)) === null
      ? passed("a wrong Content-MD5 was refused")
      : failed("a body with a wrong Content-MD5 was refused, but stands");
  }
  return failed("a body with a wrong Content-MD5 was taken");
};

const keepsNoVersions: Check = async (store, _key, signal) => {
  if (store.isVersioned === undefined) return passed("the store has no versions");
  try {
    return (await store.isVersioned(signal))
      ? failed("the bucket is versioned: there some gateways ignore If-None-Match")
      : passed("versioning is off");
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    return {
      outcome: "unknown",
      detail: "these credentials may not ask for the bucket's versioning",
    };
  }
};

const CHECKS: readonly (readonly [string, Check])[] = [
  ["creates once", createsOnce],
  ["one winner of a race", oneWinner],
  ["reads what was written", readsAfterWrite],
  ["reads exact ranges", readsExactRanges],
  ["refuses a damaged body", refusesDamage],
  ["keeps no versions", keepsNoVersions],
];
