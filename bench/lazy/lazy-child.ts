/**
 * The process that a volume is filled by: lays the tree, says that a container may start, and fills.
 * Its request is a JSON file; what happens is told in lines on stdout.
 */
import { readFileSync } from "node:fs";
import * as z from "zod";
import { openS3ObjectStore } from "../../adapters/s3-object-store.ts";
import { openWatch } from "./fanotify.ts";
import { createFiller } from "./fill-files.ts";
import { layPlaceholders } from "./lay-placeholders.ts";
import { LazyRequest } from "./lazy-request.ts";

const { s3, prefix, snapshotId, directory, fills } = LazyRequest.parse(
  JSON.parse(readFileSync(z.string().parse(process.argv[2]), "utf8")),
);
const { signal } = new AbortController();
const store = openS3ObjectStore(s3);
const tell = (event: Record<string, unknown>): void => {
  process.stdout.write(`${JSON.stringify(event)}\n`);
};
const began = performance.now();
const since = (): number => performance.now() - began;
const placeholders = await layPlaceholders({ store, prefix, snapshotId }, directory, signal);
const watch = openWatch();
for (const { path } of placeholders) watch.add(path);
const filler = createFiller({ store, prefix }, placeholders, watch);
let events = 0;
const serve = async (): Promise<void> => {
  for await (const batch of watch.events()) {
    for (const event of batch) {
      events += 1;
      // Its own writes go through the same marks.
      if (event.pid === process.pid) watch.answer(event, true);
      else if (fills) {
        filler.demand(event).then(
          () => watch.answer(event, true),
          () => watch.answer(event, false),
        );
      }
    }
  }
};
void serve();
tell({ type: "ready", ms: since() });
if (fills) {
  await filler.fillAll(signal);
  tell({ type: "complete", ms: since(), events, demanded: filler.counts.demanded });
  process.exit(0);
}
