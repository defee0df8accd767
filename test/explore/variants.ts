/**
 * Ways to break the protocol, each of which must be found out. A variant wraps one of the real
 * rules, or changes what an agent or a daemon does; nothing in workflows/ knows of it.
 */
import { decide } from "../../workflows/deploy/decide.ts";
import type { PhaseName } from "../../workflows/deploy/deploy-phase.ts";
import { NOW } from "../../workflows/deploy/given-deploys.ts";
import { changed, type Decision, type Input } from "../../workflows/deploy/messages.ts";
import { completePhase } from "../../workflows/deploy/phases.ts";
import { enterReturning } from "../../workflows/deploy/undo.ts";
import { assignNode, type NodeAssignment } from "../../workflows/node/assignment.ts";
import type { Deploy, ProjectState } from "../../workflows/record.ts";
import { canonicalJson } from "./interner.ts";
import { normalise } from "./records.ts";
import { REAL_RULES, type Rules } from "./rules.ts";

export interface Variant {
  readonly name: string;
  readonly says: string;
  /** The scenario in which it shows. */
  readonly scenario: string;
  /** Fresh for each exploration: a variant may remember. */
  readonly rules: () => Rules;
}

type Awaiting = ProjectState & { readonly deploy: Deploy };

const isIn = (state: ProjectState, ...phases: readonly PhaseName[]): state is Awaiting =>
  state.deploy !== null && phases.includes(state.deploy.phase.name);

/** The deploy goes on as if everybody had reported. */
const goOn = (state: Awaiting, nowMs: number): Decision => {
  const phase = { ...state.deploy.phase, awaits: [] };
  return changed(completePhase({ ...state, deploy: { ...state.deploy, phase } }, nowMs));
};

const decideOtherwise = (
  other: (state: ProjectState, input: Input, real: Decision) => Decision | null,
): Rules => ({
  ...REAL_RULES,
  decide: (state, input) => {
    const real = decide(state, input);
    return other(state, input, real) ?? real;
  },
});

const assignOtherwise = (
  other: (state: ProjectState, real: NodeAssignment) => Partial<NodeAssignment>,
): Rules => ({
  ...REAL_RULES,
  assignNode: (state, node) => {
    const real = assignNode(state, node);
    return { ...real, ...other(state, real) };
  },
});

const withoutUnstart = (): Rules =>
  assignOtherwise((state) =>
    isIn(state, "unstarting", "returning") ? { fences: { containers: {}, volumes: {} } } : {},
  );

/** Remembers what was committed, and takes it back when told that time has passed. */
const rollbackAfterCommit = (): Rules => {
  const before = new Map<string, Awaiting>();
  return decideOtherwise((state, input, real) => {
    if (real.kind === "changed" && real.state.deploy === null && isIn(state, "starting")) {
      before.set(canonicalJson(normalise(real.state)), state);
      return null;
    }
    const committed = before.get(canonicalJson(state));
    if (input.type !== "time.passed" || committed === undefined) return null;
    const { epochCounter, history } = state;
    const undone = { ...committed, epochCounter, history };
    return changed(enterReturning(undone, committed.deploy, "it failed", input.nowMs));
  });
};

/** Whoever was silent for too long loses the volume to the target. */
const takeover = (): Rules =>
  decideOtherwise((state, input) => {
    if (input.type !== "time.passed" || !isIn(state, "copying")) return null;
    let taken: ProjectState = state;
    while (isIn(taken, "copying", "draining", "sealed")) {
      const next = goOn(taken, NOW);
      if (next.kind !== "changed") break;
      taken = next.state;
    }
    return changed(taken);
  });

const abortToStarting = (): Rules =>
  decideOtherwise((state, input) =>
    input.type === "time.passed" && isIn(state, "draining") ? goOn(state, NOW) : null,
  );

const commitWithoutHealth = (): Rules =>
  decideOtherwise((state, input) =>
    input.type === "report.received" && isIn(state, "starting")
      ? decide(state, { ...input, report: { ...input.report, failure: null } })
      : null,
  );

/** One look at the lease both forbids the start and gives what it could have started to others. */
const giveAwayAtOnce = (): Rules =>
  decideOtherwise((state, input, real) => {
    if (input.type !== "lease.expired" || !isIn(state, "starting")) return null;
    return real.kind === "changed" ? decide(real.state, input) : null;
  });

export const VARIANTS: readonly Variant[] = [
  {
    name: "no-local-fence",
    says: "a start is not held against the fence on the node's disk",
    scenario: "way-back",
    rules: () => ({ ...REAL_RULES, isStartAllowed: () => true }),
  },
  {
    name: "rollback-without-fence",
    says: "an unstart raises no fence on the target",
    scenario: "way-back",
    rules: withoutUnstart,
  },
  {
    name: "hand-off-without-stop",
    says: "the source is sealed while its container runs",
    scenario: "move",
    rules: () => ({
      ...REAL_RULES,
      sealOrder: ["fence", "rename", "snapshot", "report"],
    }),
  },
  {
    name: "rollback-after-commit",
    says: "a version that fails after the commit is rolled back to the sealed data",
    scenario: "move",
    rules: rollbackAfterCommit,
  },
  {
    name: "takeover-on-timeout",
    says: "an owner that is late loses its volume",
    scenario: "move",
    rules: takeover,
  },
  {
    name: "gate-before-commit",
    says: "the target opens its gate as soon as its container runs",
    scenario: "move",
    rules: () =>
      assignOtherwise((_state, { run }) => ({
        run: run.map((order) => ({ ...order, gate: "open" as const })),
      })),
  },
  {
    name: "snapshot-before-stop",
    says: "the final snapshot is taken before the container stops",
    scenario: "move",
    rules: () => ({
      ...REAL_RULES,
      sealOrder: ["fence", "snapshot", "close", "stop", "rename", "report"],
    }),
  },
  {
    name: "hydrate-on-restart",
    says: "after a crash the running version starts from the head, not from the disk",
    scenario: "move",
    rules: () => ({ ...REAL_RULES, restartFrom: "head" }),
  },
  {
    name: "restart-always",
    says: "Docker starts again by itself what ran when the machine went down",
    scenario: "loss",
    rules: () => ({ ...REAL_RULES, restartPolicy: "always" }),
  },
  {
    name: "abort-to-starting",
    says: "a drain that is late goes on to the target instead of back",
    scenario: "move",
    rules: abortToStarting,
  },
  {
    name: "commit-without-health",
    says: "the commit does not wait until the new version is healthy",
    scenario: "sick",
    rules: commitWithoutHealth,
  },
  {
    name: "give-away-at-once",
    says: "a node that fell silent while it started a version is not forbidden to before others may",
    scenario: "fail-over-back",
    rules: giveAwayAtOnce,
  },
];
