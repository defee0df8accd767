/** Data that nodes keep aside: `branches` lists, saves to the store, goes on from, and lets go of them. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { CommandModule } from "yargs";
import { nodeQueue } from "../../functions/messages.ts";
import { hintRequest, recordRequest } from "../../functions/request-deploy.ts";
import { TerminalError } from "../../volume/errors.ts";
import { isSameBranch } from "../../workflows/deploy/keep-branch.ts";
import type { Epoch, NodeId, ProjectId, SnapshotId, VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { Branch, ProjectState } from "../../workflows/record.ts";
import { applyInput } from "../apply-input.ts";
import { type Context, openContext } from "../context.ts";
import { followDeploy } from "../follow-deploy.ts";
import { formatBytes, formatTable, formatTime } from "../format.ts";

const POLL_MS = 250;

interface Place {
  readonly volume: VolumeName;
  readonly node: NodeId;
  readonly epoch: Epoch;
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const nameOf = ({ volume, node, epoch }: Place): string => `${volume}@${node}:${epoch}`;

const listBranches = ({ volumes }: ProjectState): (Branch & { readonly volume: VolumeName })[] =>
  keysOf(volumes).flatMap((volume) =>
    (volumes[volume]?.branches ?? [])
      .filter(({ droppedAtMs }) => droppedAtMs === undefined)
      .map((branch) => ({ volume, ...branch })),
  );

/** `VOLUME@NODE:EPOCH`, as the list shows it. */
const findBranch = (project: ProjectId, state: ProjectState, name: string) => {
  const match = /^([^@]+)@(.+):(\d+)$/.exec(name);
  const found = listBranches(state).find((branch) => nameOf(branch) === name);
  if (match !== null && found !== undefined) return found;
  throw new TerminalError(`project ${project} has no branch ${name}`, {
    code: "unknown-branch",
    hint: `bagage branches ${project}`,
  });
};

/** Its node takes the snapshot; the record says when it is there. */
const save = async (context: Context, project: ProjectId, place: Place): Promise<SnapshotId> => {
  const { control, signal } = context;
  const { volume, node, epoch } = place;
  const nowMs = control.nowMs();
  await applyInput(context, project, { type: "branch.wanted", volume, node, epoch, nowMs });
  await control.send(nodeQueue(node), { type: "node.hint", version: 1, project }, signal);
  for (;;) {
    const state = (await control.records.load(project, signal))?.state;
    const branch = state?.volumes[volume]?.branches.find((one) => isSameBranch(one, place));
    if (branch === undefined) throw new TerminalError("it is gone", { code: "unknown-branch" });
    if (branch.snapshotId !== null) return branch.snapshotId;
    await sleep(POLL_MS, null, { signal });
  }
};

interface ListArguments {
  project: string;
  json: boolean;
}

interface BranchArguments {
  project: string;
  branch: string;
}

const named = { type: "string", demandOption: true } as const;
const branchOption = { ...named, describe: "VOLUME@NODE:EPOCH" } as const;

const saveCommand: CommandModule<object, BranchArguments> = {
  command: "save <project> <branch>",
  describe: "Have the node put a branch into the store, for ls, cat, restore and deploy",
  builder: (yargs) => yargs.positional("project", named).positional("branch", branchOption),
  handler: async (args) => {
    const context = await openContext();
    const { project, state } = await context.loadProject(args.project);
    say(await save(context, project, findBranch(project, state, args.branch)));
  },
};

const restoreCommand: CommandModule<object, BranchArguments & { acceptLoss: boolean }> = {
  command: "restore <project> <branch>",
  describe: "Make a branch the volume again, by a deploy of what runs; the volume stays a snapshot",
  builder: (yargs) =>
    yargs.positional("project", named).positional("branch", branchOption).option("acceptLoss", {
      type: "boolean",
      default: false,
      describe: "what the volume holds now stays out of it, as a restore point",
    }),
  handler: async (args) => {
    const context = await openContext();
    const { control, signal } = context;
    const { project, state } = await context.loadProject(args.project);
    const branch = findBranch(project, state, args.branch);
    if (!args.acceptLoss) {
      const when = branch.changedAtMs === null ? "an unknown time" : formatTime(branch.changedAtMs);
      throw new TerminalError(
        `branch ${args.branch} was last changed at ${when}; what volume ${branch.volume} holds now would not be in it`,
        { code: "loss-not-accepted", hint: "say --accept-loss; it stays a restore point" },
      );
    }
    const snapshotId = await save(context, project, branch);
    const requestId = `cli.${randomUUID()}`;
    const request = {
      requestId,
      trigger: "cli" as const,
      ref: state.settings.ref,
      ...(state.commit !== null && { commit: state.commit }),
      force: false,
      restore: { [branch.volume]: snapshotId },
      acceptLoss: true,
      requestedAtMs: control.nowMs(),
    };
    const { deployId } = await recordRequest(control, project, request, signal);
    await hintRequest(control, project, requestId, signal);
    process.exitCode = await followDeploy(context, project, deployId, { json: false });
  },
};

const dropCommand: CommandModule<object, BranchArguments & { dryRun: boolean; yes: boolean }> = {
  command: "drop <project> <branch>",
  describe: "Delete a branch from its node's disk; a snapshot of it in the store stays",
  builder: (yargs) =>
    yargs
      .positional("project", named)
      .positional("branch", branchOption)
      .option("dryRun", { type: "boolean", default: false, describe: "only say what would go" })
      .option("yes", { type: "boolean", default: false, describe: "it can't be undone" }),
  handler: async (args) => {
    const context = await openContext();
    const { control, signal } = context;
    const { project, state } = await context.loadProject(args.project);
    const { volume, node, epoch, bytes } = findBranch(project, state, args.branch);
    if (args.dryRun) return say(`would delete ${args.branch}: ${formatBytes(bytes)} on ${node}`);
    if (!args.yes) {
      throw new TerminalError(`${args.branch} is the only copy of ${formatBytes(bytes)}`, {
        code: "not-confirmed",
        hint: "say --yes",
      });
    }
    const nowMs = control.nowMs();
    await applyInput(context, project, { type: "branch.dropped", volume, node, epoch, nowMs });
    await control.send(nodeQueue(node), { type: "node.hint", version: 1, project }, signal);
    say(`${args.branch} is dropped; ${node} deletes it when it reads this`);
  },
};

export const branchesCommand: CommandModule<object, ListArguments> = {
  command: "branches <project>",
  describe: "List what nodes keep aside: data of lost nodes and of versions that were rolled back",
  builder: (yargs) =>
    yargs
      .command(saveCommand)
      .command(restoreCommand)
      .command(dropCommand)
      .positional("project", named)
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { loadProject } = await openContext();
    const { state } = await loadProject(args.project);
    const branches = listBranches(state);
    if (args.json) return say(JSON.stringify(branches));
    const rows = branches.map((branch) => [
      nameOf(branch),
      formatBytes(branch.bytes),
      branch.changedAtMs === null ? "" : formatTime(branch.changedAtMs),
      branch.snapshotId ?? "",
      branch.reason,
    ]);
    say(formatTable([["BRANCH", "SIZE", "LAST CHANGE", "SNAPSHOT", "WHY"], ...rows]));
  },
};
