import type { CommandModule } from "yargs";
import { openContext } from "../context.ts";
import { formatMs, formatTable, formatTime } from "../format.ts";

interface Arguments {
  project: string;
  json: boolean;
}

export const historyCommand: CommandModule<object, Arguments> = {
  command: "history <project>",
  describe: "List the last deploys, each a restore point, with result and gap",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { loadProject } = await openContext();
    const { state } = await loadProject(args.project);
    if (args.json) {
      process.stdout.write(`${JSON.stringify(state.history)}\n`);
      return;
    }
    const rows = state.history.map((ended) => [
      formatTime(ended.startedAtMs),
      ended.id,
      ended.commit?.slice(0, 10) ?? "-",
      ended.result,
      ended.gapMs === null ? "-" : formatMs(ended.gapMs),
      ended.predictedPauseMs === null ? "-" : formatMs(ended.predictedPauseMs),
      ended.reason?.split("\n")[0] ?? ended.subject,
    ]);
    const header = ["STARTED", "DEPLOY", "COMMIT", "RESULT", "GAP", "PREDICTED", "ABOUT"];
    process.stdout.write(`${formatTable([header, ...rows])}\n`);
  },
};
