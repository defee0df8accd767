/** Wrong changes of the rules of what a node does, and of lost ones. */
import { type Mutant, mutantOf } from "./mutant.ts";

const giveUp = mutantOf("workflows/deploy/give-up-node.ts");
const expire = mutantOf("workflows/deploy/expire-lease.ts");
const hold = mutantOf("workflows/deploy/hold-lease.ts");
const assign = mutantOf("workflows/node/assignment.ts");
const reconcile = mutantOf("workflows/node/reconcile.ts");
const own = mutantOf("workflows/node/own-copy.ts");
const given = mutantOf("workflows/node/given-up.ts");

export const NODE_MUTANTS: readonly Mutant[] = [
  giveUp(
    "a drain that has lost its source goes on",
    "return isForGood ? isSource : deploy",
    "return isForGood ? false : deploy",
  ),
  giveUp(
    "a volume is detached under its old epoch",
    "const epoch = Epoch.parse(state.epochCounter + 1);",
    "const epoch = state.epochCounter;",
  ),
  giveUp("a loss is not noted", "lease: null, losses: noteLoss(volume, lost) }", "lease: null }"),
  giveUp(
    "a drain forgets its source before it has sealed",
    'name === "copying" || name === "draining"',
    'name === "copying"',
  ),
  giveUp(
    "what a deploy moves is detached under it",
    "      deploy?.volumes[name] === undefined &&\n",
    "",
  ),
  expire(
    "any session's end takes the volume",
    'volume?.settings.onNodeLoss === "restore" && volume.lease === session;',
    'volume?.settings.onNodeLoss === "restore";',
  ),
  expire(
    "a volume that waits for its node is taken",
    'volume?.settings.onNodeLoss === "restore" && volume.lease === session;',
    "volume?.lease === session;",
    "the record knows no session of a volume that waits",
  ),
  expire(
    "a volume without a snapshot begins empty",
    "return isGuarded && volume.head !== null;",
    "return isGuarded;",
  ),
  expire(
    "a return is given to another node by the look that names its session",
    "const isNamed = returned.every((name) => back.volumes[name]?.lease === session);",
    "const isNamed = true;",
  ),
  expire(
    "a silent target is waited for",
    'if (state.deploy?.phase.name === "unstarting") return waiveAwaits(state, { node, nowMs });',
    "",
  ),
  hold("any node's session guards the volume", "      volume.owner === node &&\n", ""),
  hold(
    "an older session takes the place of a newer one",
    "session > (volume.lease ?? 0)",
    "session !== volume.lease",
  ),
  assign(
    "a node that has sealed serves on",
    '    case "draining":\n    case "sealed":\n    case "unstarting":\n      return [];',
    '    case "draining":\n    case "sealed":\n    case "unstarting":\n      return runSteady(state, node, container, move?.from ?? undefined);',
  ),
  assign(
    "what starts is open at once",
    'order(state, container, move.to.spec, phase.epoch, "closed", true)',
    'order(state, container, move.to.spec, phase.epoch, "open", true)',
  ),
  assign(
    "what returns is open at once",
    'order(state, container, move.from.spec, phase.epoch, "closed", true)',
    'order(state, container, move.from.spec, phase.epoch, "open", true)',
  ),
  assign(
    "in the running version a node fills volumes from the store",
    'current.epoch, "open", false)',
    'current.epoch, "open", true)',
  ),
  assign(
    "a deploy raises no fences",
    'deploy === null || deploy.phase.name === "copying"',
    "deploy === null || true",
  ),
  assign(
    "a deploy fences no containers",
    "for (const name of keysOf(deploy.containers)) containers[name] = epoch;",
    "",
  ),
  assign(
    "a deploy fences no volumes",
    "for (const name of keysOf(deploy.volumes)) volumes[name] = epoch;",
    "",
  ),
  reconcile(
    "a gate stays open for an older epoch",
    'order?.gate === "open" && order.epoch === gate.epoch &&',
    'order?.gate === "open" &&',
  ),
  reconcile(
    "a gate opens without the lease",
    'order.gate === "open" && !isOpen && mayRun(order)',
    'order.gate === "open" && !isOpen',
  ),
  reconcile("strays are stopped while a step stops them", "if (!isStopStep) actions", "actions"),
  reconcile("strays run on", "if (!isStopStep) actions", "if (false) actions"),
  reconcile(
    "a directory of the fence's own epoch is put aside",
    "epoch < (assignment.fences.volumes[volume] ?? 0)",
    "epoch <= (assignment.fences.volumes[volume] ?? 0)",
  ),
  reconcile(
    "any session of the lease will do",
    "session !== null && (known.session === null || known.session === session)",
    "session !== null",
  ),
  reconcile(
    "what runs needs no lease",
    "session !== null && (known.session === null || known.session === session)",
    "known.session === null || session === null || known.session === session",
  ),
  reconcile(
    "a start is not held against the container's fence",
    "order.epoch >= (fences.containers[order.container] ?? 0) &&\n  ",
    "",
    "every container here has a volume, which is fenced too",
  ),
  reconcile(
    "a start is not held against its volumes' fences",
    " &&\n  order.volumes.every(({ name, epoch }) => epoch >= (fences.volumes[name] ?? 0))",
    "",
    "whatever fences a volume fences the containers that mount it",
  ),
  own(
    "a copy from before an abort is not one's own",
    'origin.kind === "local" ? origin.epoch : epoch;',
    "epoch;",
  ),
  own("the oldest copy is taken", "b.epoch - a.epoch", "a.epoch - b.epoch"),
  own(
    "any older copy is one's own",
    "oldestOf(owned) <= epoch && epoch <= owned.epoch;",
    "epoch <= owned.epoch;",
  ),
  own(
    "a sealed copy of the very epoch is one's own",
    '(role === "sealed" && epoch !== owned.epoch)',
    'role === "sealed"',
  ),
  given(
    "what another node left counts as one's own",
    "loss.node === node && copy.epoch <= loss.epoch",
    "copy.epoch <= loss.epoch",
    "keeps more than it must",
  ),
  given(
    "what was written under the lost epoch is no loss",
    "copy.epoch <= loss.epoch",
    "copy.epoch < loss.epoch",
  ),
  given(
    "what the store has is kept as a loss",
    ") &&\n  !volume.snapshots.some(({ id }) => id === copy.snapshotId)",
    ")",
    "keeps more than it must",
  ),
];
