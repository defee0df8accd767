import type { CommandModule } from "yargs";
import { TerminalError } from "../../volume/errors.ts";
import { mapRecord } from "../../workflows/keys-of.ts";
import { planRollback } from "../../workflows/rollback/plan-rollback.ts";
import { openContext } from "../context.ts";
import { DEPLOY_OPTIONS } from "../deploy-options.ts";
import { formatTime } from "../format.ts";
import { findLosses, showLoss } from "../restore-loss.ts";
import { submitDeploy } from "../submit-deploy.ts";

interface Arguments {
  project: string;
  code: boolean;
  data: boolean;
  to: string | undefined;
  acceptLoss: boolean;
  detach: boolean;
  json: boolean;
}

export const rollbackCommand: CommandModule<object, Arguments> = {
  command: "rollback <project>",
  describe: "Go back to an earlier deploy: its code, the data that its version left, or both",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .option("code", { type: "boolean", default: false, describe: "only its commit" })
      .option("data", { type: "boolean", default: false, describe: "only its data" })
      .option("to", {
        type: "string",
        describe: "its id, or the beginning of it; default: the one before",
      })
      .option("acceptLoss", {
        type: "boolean",
        default: false,
        describe: "what was written since stays out of the volumes; its restore points stay",
      })
      .options(DEPLOY_OPTIONS),
  handler: async (args) => {
    const context = await openContext();
    const { project, state } = await context.loadProject(args.project);
    const isBoth = args.code === args.data;
    const request = { to: args.to ?? null, code: isBoth || args.code, data: isBoth || args.data };
    const plan = planRollback(state, request);
    if (plan.kind === "impossible") {
      throw new TerminalError(plan.reason, { code: "no-rollback", hint: plan.hint });
    }
    const { target, commit, restore } = plan;
    const losses = await findLosses(context, state, restore);
    const lines = [
      `back to deploy ${target.id} of ${formatTime(target.endedAtMs)}: ${target.subject}`,
      `commit ${commit.slice(0, 10)}${commit === state.commit ? ", which runs now" : ""}`,
      ...losses.map(showLoss),
    ];
    process.stderr.write(`${lines.join("\n")}\n`);
    if (losses.length > 0 && !args.acceptLoss) {
      throw new TerminalError("nothing was done: data newer than that would stay behind", {
        code: "loss-not-accepted",
        hint: "say --accept-loss, or --code to leave the data as they are",
      });
    }
    const wish = {
      ref: state.settings.ref,
      commit,
      force: false,
      restore: mapRecord(restore, ({ id }) => id),
      acceptLoss: args.acceptLoss,
    };
    process.exitCode = await submitDeploy(context, project, wish, args);
  },
};
