/** Wrong changes of the rules of how a deploy goes on, and back. */
import { type Mutant, mutantOf } from "./mutant.ts";

const decide = mutantOf("workflows/deploy/decide.ts");
const report = mutantOf("workflows/deploy/receive-report.ts");
const phases = mutantOf("workflows/deploy/phases.ts");
const undo = mutantOf("workflows/deploy/undo.ts");
const end = mutantOf("workflows/deploy/end-deploy.ts");
const resolve = mutantOf("workflows/deploy/resolve-deploy.ts");
const plan = mutantOf("workflows/deploy/plan-deploy.ts");
const steps = mutantOf("workflows/deploy/steps.ts");

export const DEPLOY_MUTANTS: readonly Mutant[] = [
  decide(
    "a request that has ended is taken for a new one",
    "state.history.some(({ requestId }) => requestId === request.requestId);",
    "false;",
  ),
  decide(
    "a request that is overtaken leaves no trace",
    "state.desired === null\n      ? state",
    "true\n      ? state",
  ),
  decide(
    "a refusal of any request refuses the one that is wanted",
    "request === null || request.requestId !== input.requestId",
    "request === null",
  ),
  decide(
    "time passes before the deadline",
    "deploy === null || nowMs < deploy.phase.deadlineAtMs",
    "deploy === null",
  ),
  decide("any cancellation cancels", "deploy?.id !== deployId", "deploy === null"),
  decide(
    "a cancelled drain ends as if nothing had been fenced",
    'abortDrain(freed, deploy, "cancelled", "by request", nowMs)',
    'endDeploy(freed, deploy, { result: "cancelled", reason: "by request", nowMs })',
  ),
  report(
    "a report of another deploy is taken",
    "deploy === null || deploy.id !== report.deployId",
    "deploy === null",
  ),
  report("a report that nobody awaits is taken", "if (!isAwaited) return UNCHANGED;", ""),
  report(
    "a step is done when any node reports it",
    "({ step, node }) => step === report.step && node === report.node,",
    "({ step }) => step === report.step,",
  ),
  report(
    "one node's report is taken for that of all",
    "({ step, node }) => step !== report.step || node !== report.node,",
    "({ step }) => step !== report.step,",
  ),
  report(
    "a seal counts though its snapshot is not whole",
    "if (!verified.includes(snapshot.id))",
    "if (false)",
  ),
  report(
    "a failure is no failure",
    "if (report.failure !== null) return report.failure.message;",
    "",
  ),
  report(
    "whoever starts anything guards a volume that another owns",
    "deploy.volumes[name] !== undefined && volume.owner === node",
    "deploy.volumes[name] !== undefined",
  ),
  phases(
    "a phase does not wait for the last",
    "deploy === null || deploy.phase.awaits.length > 0",
    "deploy === null || deploy.phase.awaits.length > 1",
  ),
  phases(
    "a drain gives out no new epoch",
    "const epoch = Epoch.parse(state.epochCounter + 1);\n  const grace",
    "const epoch = Epoch.parse(state.epochCounter);\n  const grace",
  ),
  phases("a seal does not become the head", "    head: move.sealed,\n", ""),
  phases("the last session of a lease is kept", "origin, lease: null };", "origin };"),
  phases("the target does not become the owner", "owner, epoch, origin,", "epoch, origin,"),
  phases(
    "the volume keeps its old epoch as it starts",
    "settings, owner, epoch, origin,",
    "settings, owner, origin,",
  ),
  phases(
    "a start begins from nothing",
    "snapshotId === null ? { kind",
    "snapshotId !== null ? { kind",
  ),
  phases(
    "a restored snapshot does not become the head",
    "find(({ id }) => id === restored) ?? volume.head",
    "find(() => false) ?? volume.head",
  ),
  phases(
    "a restore is not kept through the seal",
    "restore === null ? [sealed.id] : [sealed.id, restore]",
    "[sealed.id]",
  ),
  undo(
    "a drain goes back under its old epoch",
    'volumes[name] = { ...volume, epoch, origin: { kind: "local", epoch: oldest } };',
    'volumes[name] = { ...volume, origin: { kind: "local", epoch: oldest } };',
  ),
  undo(
    "a second abort forgets what the first one left",
    'volume.origin.kind === "local" ? volume.origin.epoch : from.epoch;',
    "from.epoch;",
  ),
  undo(
    "an unstart gives out no new epoch",
    'const epoch = Epoch.parse(state.epochCounter + 1);\n  const phase: Phase = {\n    name: "unstarting"',
    'const epoch = Epoch.parse(state.epochCounter);\n  const phase: Phase = {\n    name: "unstarting"',
  ),
  undo(
    "a return gives out no new epoch",
    "const epoch = Epoch.parse(state.epochCounter + 1);\n  return returnUnder",
    "const epoch = Epoch.parse(state.epochCounter);\n  return returnUnder",
  ),
  undo(
    "the way back does not wait until the target has stopped",
    'awaits: awaitAll(epochStep("unstart", epoch), newNodes(deploy)),',
    "awaits: [],",
  ),
  undo("the way back leaves the volume with the target", "      owner,\n", ""),
  undo("the way back begins from nothing", "head === null ? { kind", "head !== null ? { kind"),
  undo(
    "a start that fails goes back at once",
    'case "starting":\n      return enterUnstarting(state, deploy, reason, nowMs);',
    'case "starting":\n      return enterReturning(state, deploy, reason, nowMs);',
  ),
  undo(
    "a drain that is late goes back as if sealed",
    'case "draining":\n      return abortDrain(state, deploy, "aborted", reason, nowMs);',
    'case "draining":\n      return enterReturning(state, deploy, reason, nowMs);',
  ),
  undo(
    "the old containers come back under their old epoch",
    "from === null ? undefined : { ...from, epoch },",
    "from === null ? undefined : { ...from },",
  ),
  end(
    "an ended deploy is not listed as ended",
    "endedAttempts: appendAttempt(state.endedAttempts, deploy.id),",
    "",
  ),
  resolve(
    "a deploy is overtaken in any phase",
    'running !== null && running.phase.name !== "copying"',
    "false",
  ),
  resolve(
    "older data are started without anybody's word",
    "if (isNewest || request.acceptLoss) continue;",
    "continue;",
  ),
  plan(
    "data on a node that is silent are not missed",
    "if (lost.length > 0)",
    "if (false)",
    "only keeps a deploy from waiting in vain",
  ),
  plan(
    "what shares a volume does not move with it",
    "  return findGroups(specs)\n    .filter((group) => group.some(moves))\n    .flat();",
    "  return findGroups(specs).flat().filter(moves);",
  ),
  steps(
    "a target that has other data need not fetch them",
    "(move.restore !== null || move.from?.node !== move.to);",
    "move.restore !== null;",
  ),
  steps(
    "the older head is preferred to what was sealed",
    "move.restore ?? move.sealed?.id ?? volume?.head?.id ?? null",
    "move.restore ?? volume?.head?.id ?? move.sealed?.id ?? null",
    "sealing makes it the head",
  ),
];
