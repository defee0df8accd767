import type { CommandModule } from "yargs";
import { CommitId, NodeId, SnapshotId, VolumeName } from "../../workflows/ids.ts";
import { openContext } from "../context.ts";
import { DEPLOY_OPTIONS } from "../deploy-options.ts";
import { submitDeploy } from "../submit-deploy.ts";

interface Arguments {
  project: string;
  ref: string | undefined;
  commit: string | undefined;
  to: string | undefined;
  force: boolean;
  restore: string[];
  acceptLoss: boolean;
  allowLongerPause: boolean;
  detach: boolean;
  json: boolean;
}

export const deployCommand: CommandModule<object, Arguments> = {
  command: "deploy <project>",
  describe: "Deploy a ref or commit, as a push would, and follow it to its end",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .option("ref", { type: "string", describe: "ref to deploy (default: the project's)" })
      .option("commit", { type: "string", describe: "exactly this commit, in full" })
      .option("to", { type: "string", describe: "node to move everything to" })
      .option("force", {
        type: "boolean",
        default: false,
        describe: "deploy even if nothing changed",
      })
      .option("restore", {
        type: "string",
        array: true,
        default: [],
        describe: "VOLUME=SNAPSHOT: start the volume from an earlier snapshot",
      })
      .option("acceptLoss", {
        type: "boolean",
        default: false,
        describe: "with --restore: what was written since that snapshot stays out of the volume",
      })
      .option("allowLongerPause", {
        type: "boolean",
        default: false,
        describe: "go on where a pause longer than a volume's max_pause is predicted",
      })
      .options(DEPLOY_OPTIONS),
  handler: async (args) => {
    const context = await openContext();
    const { project, state } = await context.loadProject(args.project);
    const wish = {
      ref: args.ref ?? state.settings.ref,
      ...(args.commit !== undefined && { commit: CommitId.parse(args.commit) }),
      ...(args.to !== undefined && { target: NodeId.parse(args.to) }),
      force: args.force,
      restore: Object.fromEntries(args.restore.map(parseRestore)),
      acceptLoss: args.acceptLoss,
      ...(args.allowLongerPause && { allowLongerPause: true }),
    };
    process.exitCode = await submitDeploy(context, project, wish, args);
  },
};

const parseRestore = (text: string): [VolumeName, SnapshotId] => {
  const at = text.indexOf("=");
  return [VolumeName.parse(text.slice(0, at)), SnapshotId.parse(text.slice(at + 1))];
};
