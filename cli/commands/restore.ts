import type { CommandModule } from "yargs";
import { TerminalError } from "../../volume/errors.ts";
import { VolumeName } from "../../workflows/ids.ts";
import { bringFiles } from "../bring-files.ts";
import { openContext } from "../context.ts";
import { DEPLOY_OPTIONS } from "../deploy-options.ts";
import { findLosses, showLoss } from "../restore-loss.ts";
import { findPlace } from "../snapshot-place.ts";
import { submitDeploy } from "../submit-deploy.ts";

interface Arguments {
  project: string;
  snapshot: string;
  directory: string | undefined;
  acceptLoss: boolean;
  detach: boolean;
  json: boolean;
}

export const restoreCommand: CommandModule<object, Arguments> = {
  command: "restore <project> <snapshot> [directory]",
  describe:
    "Bring a snapshot's files into a new directory of this machine; without one: take the volume back to it, by a deploy of what runs",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("snapshot", {
        type: "string",
        demandOption: true,
        describe: "VOLUME or VOLUME@SNAPSHOT; an id may be cut short",
      })
      .positional("directory", { type: "string", describe: "new or empty" })
      .option("acceptLoss", {
        type: "boolean",
        default: false,
        describe: "what was written since stays out of the volume; its restore points stay",
      })
      .options(DEPLOY_OPTIONS),
  handler: async (args) => {
    const context = await openContext();
    const { ref, ...place } = await findPlace(context, args.project, args.snapshot);
    if (args.directory !== undefined) {
      process.stdout.write(`${await bringFiles(context, place, args.directory)}\n`);
      return;
    }
    const { project, state } = await context.loadProject(args.project);
    if (state.commit === null) {
      throw new TerminalError(`nothing of project ${project} runs that could be deployed again`, {
        code: "nothing-runs",
        hint: `bagage deploy ${project} --restore ${args.snapshot.replace("@", "=")}`,
      });
    }
    const volume = VolumeName.parse(args.snapshot.split("@")[0]);
    const losses = await findLosses(context, state, { [volume]: ref });
    process.stderr.write(`${losses.map(showLoss).join("\n")}\n`);
    if (!args.acceptLoss) {
      throw new TerminalError("nothing was done: data newer than that would stay behind", {
        code: "loss-not-accepted",
        hint: "say --accept-loss, or name a directory to bring the files to",
      });
    }
    const wish = {
      ref: state.settings.ref,
      commit: state.commit,
      force: false,
      restore: { [volume]: ref.id },
      acceptLoss: true,
    };
    process.exitCode = await submitDeploy(context, project, wish, args);
  },
};
