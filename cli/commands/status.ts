import type { CommandModule } from "yargs";
import { awaitedProgress } from "../awaited-progress.ts";
import { openContext } from "../context.ts";
import { followDeploy } from "../follow-deploy.ts";
import { showProject } from "../show-deploy.ts";

interface Arguments {
  project: string;
  watch: boolean;
  json: boolean;
}

export const statusCommand: CommandModule<object, Arguments> = {
  command: "status <project>",
  describe: "Show what runs where, and the running or last deploy with its timeline",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .option("watch", { type: "boolean", default: false, describe: "follow the running deploy" })
      .option("json", {
        type: "boolean",
        default: false,
        describe: "print the record and the steps' progress as JSON",
      }),
  handler: async (args) => {
    const context = await openContext();
    const { project, state } = await context.loadProject(args.project);
    if (args.watch && state.deploy !== null) {
      process.exitCode = await followDeploy(context, project, state.deploy.id, { json: args.json });
      return;
    }
    const progress = await awaitedProgress(context.control.store, state, context.signal);
    const text = args.json
      ? JSON.stringify({ ...state, progress })
      : showProject(state, progress, context.control.nowMs()).join("\n");
    process.stdout.write(`${text}\n`);
  },
};
