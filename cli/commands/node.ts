/** `bagage node`: the agent itself, and what an operator does with a node. */
import { userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { CommandModule } from "yargs";
import { systemClock } from "../../adapters/clock.ts";
import { leaseKey } from "../../adapters/store-keys.ts";
import { drainNode, readNode, uncordonNode } from "../../functions/drain-node.ts";
import { type AtStake, findAtStake, forgetNode } from "../../functions/forget-node.ts";
import { readJsonObject } from "../../functions/json-object.ts";
import { TerminalError } from "../../volume/errors.ts";
import { NodeId } from "../../workflows/ids.ts";
import { expireAfterMs, Lease, type SeenLeases, watchLeases } from "../../workflows/node/lease.ts";
import { HEARTBEAT_STALE_MS } from "../../workflows/placement/choose-node.ts";
import { type Context, openContext } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { followDeploy } from "../follow-deploy.ts";
import { formatMs } from "../format.ts";
import { runNode } from "./run.ts";

const POLL_MS = 500;

interface NodeArguments {
  node: string;
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const nodePosition = { type: "string", demandOption: true } as const;

const drainCommand: CommandModule<object, NodeArguments & { detach: boolean }> = {
  command: "drain <node>",
  describe: "Move everything off a node by ordinary deploys, and place nothing there any more",
  builder: (yargs) =>
    yargs
      .positional("node", nodePosition)
      .option("detach", { type: "boolean", default: false, describe: "do not wait for the end" }),
  handler: async (args) => {
    const context = await openContext();
    const node = NodeId.parse(args.node);
    const drained = await drainNode(context.control, { node }, context.signal);
    if (drained.length === 0) say(`nothing runs on ${node}`);
    for (const { project, deployId } of drained) {
      if (args.detach) say(`${project} ${deployId}`);
      else {
        const code = await followDeploy(context, project, deployId, { json: false });
        if (code !== EXIT.ok) process.exitCode = code;
      }
    }
  },
};

const uncordonCommand: CommandModule<object, NodeArguments> = {
  command: "uncordon <node>",
  describe: "Let a node that was drained take containers again; nothing moves back by itself",
  builder: (yargs) => yargs.positional("node", nodePosition),
  handler: async (args) => {
    const { control, signal } = await openContext();
    await uncordonNode(control, NodeId.parse(args.node), signal);
    say(`${args.node} takes containers again`);
  },
};

const forgetCommand: CommandModule<object, NodeArguments & { acceptLoss: boolean }> = {
  command: "forget <node>",
  describe: "Give up a node that will not come back: show what would be lost, and go on elsewhere",
  builder: (yargs) =>
    yargs.positional("node", nodePosition).option("acceptLoss", {
      type: "boolean",
      default: false,
      describe: "what only this node has is lost; and nothing runs on it any more",
    }),
  handler: async (args) => {
    const context = await openContext();
    const { control, signal } = context;
    const node = NodeId.parse(args.node);
    const stake = await findAtStake(control, node, signal);
    for (const one of stake) say(describe(one));
    await refuseAlive(context, node);
    if (!args.acceptLoss && stake.length > 0) {
      throw new TerminalError(`only ${node} has the newest data of ${stake.length} volumes`, {
        code: "loss-not-accepted",
        hint: `bring it back, or say: bagage node forget ${node} --accept-loss`,
      });
    }
    const projects = await forgetNode(control, node, userInfo().username, signal);
    say(`${node} is forgotten; concerned: ${projects.join(", ") || "no project"}`);
  },
};

const describe = ({ project, volume, snapshotId, windowMs }: AtStake): string =>
  snapshotId === null
    ? `${project} ${volume}: all of it, there is no snapshot`
    : `${project} ${volume}: writes of the last ${formatMs(windowMs ?? 0)}, since ${snapshotId}`;

/** A lease that is renewed while it is watched is alive: then a drain is right. */
const refuseAlive = async ({ control, signal }: Context, node: NodeId): Promise<void> => {
  let seen: SeenLeases = new Map();
  let first: Lease | null = null;
  for (;;) {
    const lease = await readJsonObject(control.store, leaseKey(node), Lease, signal);
    if (lease === null) return refuseFresh(await readNode(control, node, signal), control.nowMs());
    if (first === null) {
      first = lease;
      say(`watching the lease of ${node} for ${formatMs(expireAfterMs(lease.ttlMs))} …`);
    } else if (lease.renewal !== first.renewal) throw alive(node);
    const watched = watchLeases(seen, [lease], systemClock.monotonicMs());
    if (watched.expired.length > 0) return;
    seen = watched.seen;
    await sleep(POLL_MS, null, { signal });
  }
};

const refuseFresh = (status: { node: NodeId; atMs: number }, nowMs: number): void => {
  if (nowMs - status.atMs < HEARTBEAT_STALE_MS) throw alive(status.node);
};

const alive = (node: NodeId): TerminalError =>
  new TerminalError(`node ${node} is alive`, {
    code: "node-alive",
    hint: `bagage node drain ${node}, or stop its agent first`,
  });

export const nodeCommand: CommandModule<object, { cacheBudget: string | undefined }> = {
  command: "node",
  describe: "Run the agent of this Docker host; or drain, uncordon, forget a node",
  builder: (yargs) =>
    yargs
      .option("cacheBudget", {
        type: "string",
        describe: "The most that warm copies may take here, as 20GB; wins over BAGAGE_CACHE_BUDGET",
      })
      .command(drainCommand)
      .command(uncordonCommand)
      .command(forgetCommand),
  handler: ({ cacheBudget }) =>
    runNode(cacheBudget === undefined ? {} : { BAGAGE_CACHE_BUDGET: cacheBudget }),
};
