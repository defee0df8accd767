import { randomUUID } from "node:crypto";
import type { CommandModule } from "yargs";
import { resolveDesired } from "../../functions/advance-deploy/gather-inputs.ts";
import { readNodes } from "../../functions/advance-deploy/read-nodes.ts";
import { deployIdOf } from "../../functions/request-deploy.ts";
import { type Plan, planDeploy } from "../../workflows/deploy/plan-deploy.ts";
import { CommitId, NodeId } from "../../workflows/ids.ts";
import type { Desired } from "../../workflows/record.ts";
import { askMeasures } from "../ask-measures.ts";
import { assessPlan, nodesToAsk } from "../assess-plan.ts";
import { openContext } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { showPlan } from "../show-plan.ts";

interface Arguments {
  project: string;
  ref: string | undefined;
  commit: string | undefined;
  to: string | undefined;
  json: boolean;
}

export const planCommand: CommandModule<object, Arguments> = {
  command: "plan <project>",
  describe:
    "Show what a deploy would move, how much, for how long, and whether it fits; does nothing",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .option("ref", { type: "string" })
      .option("commit", { type: "string" })
      .option("to", { type: "string" })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { control, signal, loadProject } = await openContext();
    const { project, state } = await loadProject(args.project);
    const request: Desired = {
      requestId: `plan.${randomUUID()}`,
      deployId: deployIdOf(project, "plan"),
      trigger: "cli",
      ref: args.ref ?? state.settings.ref,
      ...(args.commit !== undefined && { commit: CommitId.parse(args.commit) }),
      ...(args.to !== undefined && { target: NodeId.parse(args.to) }),
      force: false,
      restore: {},
      acceptLoss: false,
      requestedAtMs: control.nowMs(),
    };
    const resolved = await resolveDesired(control, { ...state, desired: request }, signal);
    if (resolved?.type !== "deploy.resolved") {
      const reason = resolved?.type === "deploy.unresolvable" ? resolved.reason : "nothing to plan";
      if (args.json) process.stdout.write(`${JSON.stringify({ kind: "unresolvable", reason })}\n`);
      else process.stderr.write(`${reason}\n`);
      process.exitCode = EXIT.failed;
      return;
    }
    const { spec, commit, subject, nowMs } = resolved;
    const nodes = await readNodes(control, signal);
    const plan = planDeploy({ state, spec, nodes, request, nowMs });
    if (plan.kind !== "planned") {
      sayNoMoves(commit, plan, args.json);
      process.exitCode = plan.kind === "impossible" ? EXIT.failed : EXIT.ok;
      return;
    }
    const { moves } = plan;
    const measures = await askMeasures(control, project, nodesToAsk(moves), signal);
    const assessment = assessPlan({ moves, state, nodes, measures });
    process.stdout.write(
      args.json
        ? `${JSON.stringify({ commit, subject, kind: plan.kind, moves, ...assessment })}\n`
        : `${[`commit ${commit.slice(0, 10)}  ${subject}`, ...showPlan(moves, assessment)].join("\n")}\n`,
    );
    process.exitCode = assessment.volumes.every(({ fits }) => fits) ? EXIT.ok : EXIT.failed;
  },
};

const sayNoMoves = (
  commit: CommitId,
  plan: Exclude<Plan, { kind: "planned" }>,
  isJson: boolean,
): void => {
  if (isJson) {
    process.stdout.write(`${JSON.stringify({ commit, ...plan })}\n`);
  } else if (plan.kind === "unchanged") {
    process.stdout.write(`commit ${commit.slice(0, 10)}: nothing to change\n`);
  } else {
    const reasons = plan.reasons.map((reason) => `  ${reason}\n`).join("");
    process.stderr.write(`commit ${commit.slice(0, 10)} can't be deployed:\n${reasons}`);
  }
};
