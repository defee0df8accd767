import type { CommandModule } from "yargs";
import { collectAll } from "../../functions/collect-garbage/collect-all.ts";
import { collectPorts, collectProject } from "../../functions/collect-garbage/collect-project.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import { openContext } from "../context.ts";
import { formatBytes } from "../format.ts";

interface Arguments {
  project: string;
  dryRun: boolean;
  json: boolean;
}

export const gcCommand: CommandModule<object, Arguments> = {
  command: "gc <project>",
  describe: "Delete from the store what no restore point needs; safe beside running deploys",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .option("dryRun", { type: "boolean", default: false, describe: "only say what would go" })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { control, signal, loadProject } = await openContext();
    const { state } = await loadProject(args.project);
    const reports = args.dryRun
      ? await collectProject(collectPorts(control), state, true, signal)
      : (await collectAll(control, state, signal)).collected;
    if (args.json) {
      process.stdout.write(`${JSON.stringify(reports)}\n`);
      return;
    }
    for (const name of keysOf(reports)) {
      const report = reports[name];
      if (report === undefined) continue;
      const { deletedObjects, deletedBytes, keptObjects, keptBytes } = report;
      const verb = args.dryRun ? "would delete" : "deleted";
      process.stdout.write(
        `${name}: ${verb} ${deletedObjects} objects, ${formatBytes(deletedBytes)}; kept ${keptObjects}, ${formatBytes(keptBytes)}\n`,
      );
    }
  },
};
