/** What can happen next: to the record, to the nodes, to those who write through an open gate. */
import { decide } from "../../workflows/deploy/decide.ts";
import { NOW } from "../../workflows/deploy/given-deploys.ts";
import type { Input } from "../../workflows/deploy/messages.ts";
import { agentMoves } from "./agent-moves.ts";
import { type Move, type Mutation, type NodeWorld, patch, type World } from "./world.ts";

const WRITES_MAX = 2;

/** Everything that can happen next. */
export const movesOf = (world: World, mutation: Mutation): Move[] => [
  ...controlMoves(world),
  ...Object.keys(world.nodes).flatMap((node) => nodeMoves(world, node, mutation)),
];

const controlMoves = (world: World): Move[] => {
  const { state, reports } = world;
  const moves: Move[] = [];
  const take = (name: string, input: Input, troubles = world.troubles): void => {
    const decision = decide(state, input);
    if (decision.kind === "changed") {
      moves.push({ name, world: { ...world, state: decision.state, troubles } });
    }
  };
  for (const { step, node } of state.deploy?.phase.awaits ?? []) {
    const report = reports[`${state.deploy?.id} ${step} ${node}`];
    if (report === undefined) continue;
    const taken = Object.values(report.volumes).flatMap((v) => v?.snapshot?.id ?? []);
    take(`the control folds ${step} of ${node}`, {
      type: "report.received",
      report,
      verifiedSnapshots: taken,
      nowMs: NOW,
    });
  }
  if (world.troubles > 0) {
    const late = NOW * 1e6;
    take("the deadline passes", { type: "time.passed", nowMs: late }, world.troubles - 1);
  }
  return moves;
};

const nodeMoves = (world: World, node: string, mutation: Mutation): Move[] => {
  const here = world.nodes[node];
  if (here === undefined) return [];
  const moves: Move[] = [];
  const add = (name: string, change: Partial<NodeWorld>, more: Partial<World> = {}): void => {
    moves.push({ name: `${node}: ${name}`, world: { ...patch(world, node, change), ...more } });
  };
  if (here.view !== world.state) add("reads the record", { view: world.state });
  if (here.queued !== null) {
    const isMounted = here.copies[`live-${here.queued}`] !== undefined;
    add("the daemon executes the start", {
      queued: null,
      ...(isMounted && { running: here.queued }),
    });
  }
  const serves = here.gate !== null && here.gate === here.running;
  const live = `live-${here.running}`;
  if (serves && world.writes < WRITES_MAX && here.copies[live] !== undefined) {
    const bit = 1 << world.writes;
    const copies = { ...here.copies, [live]: (here.copies[live] ?? 0) | bit };
    add(
      "a write is acknowledged",
      { copies },
      { writes: world.writes + 1, acked: world.acked | bit },
    );
  }
  if (world.troubles > 0) {
    const rest = { troubles: world.troubles - 1 };
    if (here.view !== null) add("the agent crashes", { view: null, gate: null }, rest);
    if (here.running !== null) {
      add("reboots", { view: null, gate: null, running: null, queued: null }, rest);
    }
  }
  if (here.view !== null) moves.push(...agentMoves(world, node, here, here.view, mutation));
  return moves;
};
