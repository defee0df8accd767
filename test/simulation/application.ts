/**
 * The model application: a log of records that clients were promised, a note of every start, and
 * files that come and go. It holds its directory open as a bind mount does, so it goes on writing
 * to the same data when somebody renames them.
 */
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "./random.ts";

/** How a version behaves; its image is named after it. */
export const BEHAVIOURS = ["good", "sick", "crashes", "absent"] as const;
export type Behaviour = (typeof BEHAVIOURS)[number];

export const imageOf = (behaviour: Behaviour, version: number): string =>
  `app-${behaviour}:${version}`;
export const behaviourOf = (image: string): Behaviour =>
  BEHAVIOURS.find((behaviour) => image.startsWith(`app-${behaviour}:`)) ?? "good";

const LOG = "log";
const STARTS = "starts";
const SCRATCH_COUNT = 4;
const SCRATCH_BYTES_MAX = 3_000;

const linesOf = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];

/** Ids of the records in the volume, in their order. */
export const readLog = (directory: string): string[] => linesOf(join(directory, LOG));

/** Epochs under which a container was started on the volume. */
export const readStarts = (directory: string): number[] =>
  linesOf(join(directory, STARTS)).map(Number);

export const noteStart = (directory: string, epoch: number): void =>
  appendFileSync(join(directory, STARTS), `${epoch}\n`);

/** Takes a record from a client, as a database would: appended, synced, then acknowledged. */
export const takeRecord = (directory: string, id: string, random: Random): void => {
  appendFileSync(join(directory, LOG), `${id}\n`);
  const scratch = join(directory, `scratch-${random.between(1, SCRATCH_COUNT)}`);
  if (random.chance(0.2)) rmSync(scratch, { force: true });
  else if (random.chance(0.5)) {
    writeFileSync(scratch, String(random.next()).repeat(random.between(1, SCRATCH_BYTES_MAX / 20)));
  }
};

/** What is wrong with the log, given what was acknowledged, in order; null: nothing. */
export const findLoss = (
  log: readonly string[],
  acknowledged: readonly string[],
): string | null => {
  const places = new Map(log.map((id, index) => [id, index]));
  if (places.size !== log.length) return "a record stands twice";
  let last = -1;
  for (const id of acknowledged) {
    const place = places.get(id);
    if (place === undefined) return `record ${id} is missing`;
    if (place < last) return `record ${id} stands out of order`;
    last = place;
  }
  return null;
};

/** A planted bug: the newest record of the copy is not there. */
export const loseTheEnd = (directory: string): void => {
  const log = readLog(directory);
  if (log.length > 0)
    writeFileSync(
      join(directory, LOG),
      log
        .slice(0, -1)
        .map((id) => `${id}\n`)
        .join(""),
    );
};
