/** Tells of every access to a file before it happens, a line each, and lets it happen. */
import * as z from "zod";
import { openWatch } from "./fanotify.ts";

const watch = openWatch();
watch.add(z.string().parse(process.argv[2]));
process.stdout.write("ready\n");
for await (const events of watch.events()) {
  for (const event of events) {
    process.stdout.write(`${event.offset} ${event.length}\n`);
    watch.answer(event, true);
  }
}
