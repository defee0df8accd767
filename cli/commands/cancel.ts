import type { CommandModule } from "yargs";
import { advanceProject } from "../../functions/advance-deploy/advance-project.ts";
import { TerminalError } from "../../volume/errors.ts";
import { DeployId } from "../../workflows/ids.ts";
import { openContext } from "../context.ts";
import { EXIT } from "../exit-codes.ts";

interface Arguments {
  project: string;
  deploy: string | undefined;
}

export const cancelCommand: CommandModule<object, Arguments> = {
  command: "cancel <project> [deploy]",
  describe: "Cancel the running or waiting deploy; possible until its data are sealed",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("deploy", { type: "string", describe: "default: the running or waiting one" }),
  handler: async (args) => {
    const { control, signal, loadProject } = await openContext();
    const { project, state } = await loadProject(args.project);
    const id = args.deploy ?? state.deploy?.id ?? state.desired?.deployId;
    if (id === undefined) {
      throw new TerminalError(`project ${project} has no deploy to cancel`, {
        code: "nothing-to-cancel",
      });
    }
    const deployId = DeployId.parse(id);
    const input = { type: "deploy.cancelled" as const, deployId, nowMs: control.nowMs() };
    const { refusal } = await advanceProject(control, { project, input, resend: false }, signal);
    if (refusal === null) {
      process.stdout.write(`deploy ${deployId} is cancelled\n`);
      return;
    }
    process.stderr.write(`${refusal.message}\n  ${refusal.hint}\n`);
    process.exitCode = EXIT.refused;
  },
};
