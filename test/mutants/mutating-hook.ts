/** Loaded before all else: Node then reads one source as the mutant has it. */
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { mutateSource } from "./mutate-source.ts";

const index = Number(process.env["MUTANT"]);

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    if (!url.startsWith("file:") || url.includes("/node_modules/")) return loaded;
    const text = String(loaded.source);
    const mutated = mutateSource(index, fileURLToPath(url), text);
    return mutated === null ? loaded : { ...loaded, source: mutated };
  },
});
