import { randomUUID } from "node:crypto";
import type { CommandModule } from "yargs";
import { readNodes, resolveDesired } from "../../functions/advance-deploy/gather-inputs.ts";
import { deployIdOf } from "../../functions/request-deploy.ts";
import { planDeploy } from "../../workflows/deploy/plan-deploy.ts";
import { CommitId, NodeId } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import { bytesToBring } from "../../workflows/placement/choose-node.ts";
import type { Desired } from "../../workflows/record.ts";
import { openContext } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { formatBytes } from "../format.ts";

interface Arguments {
  project: string;
  ref: string | undefined;
  commit: string | undefined;
  to: string | undefined;
  json: boolean;
}

export const planCommand: CommandModule<object, Arguments> = {
  command: "plan <project>",
  describe: "Show what a deploy would do, without doing any of it",
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
      process.stderr.write(`${reason}\n`);
      process.exitCode = EXIT.failed;
      return;
    }
    const { spec, commit, nowMs } = resolved;
    const nodes = await readNodes(control, signal);
    const plan = planDeploy({ state, spec, nodes, request, nowMs });
    if (args.json) {
      process.stdout.write(`${JSON.stringify({ commit, ...plan })}\n`);
    } else if (plan.kind === "unchanged") {
      process.stdout.write(`commit ${commit.slice(0, 10)}: nothing to change\n`);
    } else if (plan.kind === "impossible") {
      process.stderr.write(`commit ${commit.slice(0, 10)} can't be deployed:\n`);
      for (const reason of plan.reasons) process.stderr.write(`  ${reason}\n`);
    } else {
      const lines = describePlan(plan, state, nodes);
      process.stdout.write(
        `commit ${commit.slice(0, 10)}  ${resolved.subject}\n${lines.join("\n")}\n`,
      );
    }
    process.exitCode = plan.kind === "impossible" ? EXIT.failed : EXIT.ok;
  },
};

const describePlan = (
  { moves }: Extract<ReturnType<typeof planDeploy>, { kind: "planned" }>,
  state: Parameters<typeof planDeploy>[0]["state"],
  nodes: Parameters<typeof planDeploy>[0]["nodes"],
): string[] => [
  ...keysOf(moves.containers).map((name) => {
    const move = moves.containers[name];
    const what = move?.to === null ? "is removed" : move?.from === null ? "is new" : "changes";
    return `  container ${name} ${what}: ${move?.from?.node ?? "-"} → ${move?.to?.node ?? "-"}`;
  }),
  ...keysOf(moves.volumes).map((name) => {
    const move = moves.volumes[name];
    const known = state.volumes[name];
    const bytes = known?.head?.bytes ?? 0;
    const target = nodes.find(({ node }) => node === move?.to);
    const volumes = [{ name, owner: known?.owner ?? null, bytes }];
    const needed =
      target === undefined ? 0 : bytesToBring(target, { project: state.project, volumes });
    const free = target === undefined ? "" : `, ${formatBytes(target.diskFreeBytes)} free there`;
    const size = known?.head == null ? "not sealed yet" : formatBytes(bytes);
    return `  volume ${name} (${size}): ${move?.from?.node ?? "-"} → ${move?.to ?? "detached"}, needs ${formatBytes(needed)}${free}`;
  }),
];
