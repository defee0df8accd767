/**
 * Moves a project on as far as it can go: load the record, fold in all that is known, save, and send
 * what is outstanding. Safe to run at any time, any number of times, in several processes at once:
 * the record's chain lets one of them win, and the others look again.
 */
import type { LoadedRecord } from "../../adapters/project-records.ts";
import { pendingKey } from "../../adapters/store-keys.ts";
import { ConflictError, TerminalError } from "../../volume/errors.ts";
import { decide } from "../../workflows/deploy/decide.ts";
import { type Duty, duties } from "../../workflows/deploy/duties.ts";
import type { Input, WorkflowEvent } from "../../workflows/deploy/messages.ts";
import { stepKind } from "../../workflows/deploy/steps.ts";
import { type NodeId, type ProjectId, Revision } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import { concernsStandbys } from "../../workflows/placement/settle-standbys.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import {
  CONTROL_QUEUE,
  type LeaseExpired,
  type NodeHint,
  nodeQueue,
  type ProjectHint,
  PUBLISH_QUEUE,
  STEP_FUNCTIONS,
  type StepMessage,
  type VolumePublish,
} from "../messages.ts";
import { hasSubscribers } from "../publish-events/publish-events.ts";
import { claimHosts } from "./claim-hosts.ts";
import { forgetProgress } from "./forget-progress.ts";
import { archive, readReport, replaceAgain, resolveDesired } from "./gather-inputs.ts";
import { hintEdges, markRouted } from "./hint-edges.ts";
import { hintNodes } from "./hint-nodes.ts";
import { dropMarks, hintEvents, putMark } from "./open-marks.ts";
import { readExpiredLease, readHeldLease } from "./read-lease.ts";
import { readNodes } from "./read-nodes.ts";
import { readPending } from "./read-pending.ts";

type StepDuty = Extract<Duty, { kind: "step" }>;

const CONFLICTS_MAX = 100;
const PASSES_MAX = 100;

export interface AdvanceRequest {
  readonly project: ProjectId;
  /** A pending request to take up first. */
  readonly requestId?: string | undefined;
  /** An input that came with the message itself, or what it becomes for the project as it is. */
  readonly input?: Input | ((state: ProjectState) => Input) | undefined;
  /** The step whose report is to be looked for; absent: all that are owed. */
  readonly reported?: ProjectHint["reported"];
  /** A node whose lease object is to be read. */
  readonly leaseOf?: NodeId | undefined;
  /** A session that is said to be over. */
  readonly expired?: LeaseExpired | undefined;
  readonly resend: boolean;
}

/** What a refused input answers; null when there was none, or it was accepted. */
export interface AdvanceResult {
  readonly state: ProjectState;
  readonly rev: Revision;
  readonly refusal: {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
  } | null;
}

export const advanceProject = async (
  ports: ControlPorts,
  request: AdvanceRequest,
  signal: AbortSignal,
): Promise<AdvanceResult> => {
  const glance: Glance = { saved: null, unreported: new Set(), reported: request.reported };
  let first: AdvanceRequest | null = request;
  let refusal: AdvanceResult["refusal"] = null;
  for (let pass = 0; pass < PASSES_MAX; pass += 1) {
    const round: Round = await advanceOnce(
      ports,
      request.project,
      { request: first, glance },
      signal,
    );
    refusal = round.refusal ?? refusal;
    if (round.kind === "settled") {
      const { rev } = round;
      if (request.resend) await sendDuties(ports, { owed: duties(round.state), rev }, signal);
      await dropMarks(ports, round, signal);
      const { requestId } = request;
      if (requestId !== undefined) {
        await ports.store.delete([pendingKey(request.project, requestId)], signal);
      }
      return { state: round.state, rev, refusal };
    }
    first = null;
  }
  throw new TerminalError(`project ${request.project} does not settle`, { code: "never-settles" });
};

/** What one call knows already, and so need not ask the store again from pass to pass. */
interface Glance {
  /** The newest revision, while it is our own: whoever wrote a later one takes it from there. */
  saved: LoadedRecord | null;
  /** Steps whose report was looked for, or which nobody could know of before that revision. */
  readonly unreported: Set<string>;
  readonly reported: AdvanceRequest["reported"];
}

interface Round {
  readonly kind: "moved" | "settled";
  readonly rev: Revision;
  readonly state: ProjectState;
  readonly refusal: AdvanceResult["refusal"];
}

/** One revision: everything known now folded in, saved once. Repeats itself after a lost race. */
const advanceOnce = async (
  ports: ControlPorts,
  project: ProjectId,
  { request, glance }: { readonly request: AdvanceRequest | null; readonly glance: Glance },
  signal: AbortSignal,
): Promise<Round> => {
  for (let conflict = 0; conflict < CONFLICTS_MAX; conflict += 1) {
    const loaded = glance.saved ?? (await ports.records.load(project, signal));
    glance.saved = null;
    if (loaded === null) {
      throw new TerminalError(`no project ${project}`, {
        code: "unknown-project",
        hint: `bagage project add ${project}`,
      });
    }
    const folded = await foldInputs(ports, loaded.state, { request, glance }, signal);
    if (folded.state === loaded.state) {
      const { rev, state } = loaded;
      return { kind: "settled", rev, state, refusal: folded.refusal };
    }
    const rev = Revision.parse(loaded.rev + 1);
    try {
      await putMark(ports, loaded.state, { state: folded.state, rev }, signal);
      await markRouted(ports, loaded.state, folded.state, signal);
      glance.saved = await ports.records.save(project, loaded, folded.state, signal);
      for (const { type, data } of folded.events) ports.log.info({ ...data, rev }, type);
    } catch (error) {
      if (error instanceof ConflictError) continue;
      throw error;
    }
    // First of all: somebody may be waiting for these without a container.
    const owed = findNewDuties(loaded.state, folded.state);
    for (const duty of owed) if (duty.kind === "step") glance.unreported.add(dutyName(duty));
    await sendDuties(ports, { owed, rev }, signal);
    await hintNodes(ports, loaded.state, { state: folded.state, rev }, signal);
    await hintGarbage(ports, loaded.state, folded.state, signal);
    if (hasSubscribers(folded.state)) await hintEvents(ports, project, signal);
    await hintEdges(ports, loaded.state, folded.state, signal);
    await forgetProgress(ports, loaded.state, folded.state, signal);
    return { kind: "moved", rev, state: folded.state, refusal: folded.refusal };
  }
  throw new ConflictError(`project ${project} is written by too many at once`, {
    code: "record-contended",
  });
};

interface Folded {
  readonly state: ProjectState;
  readonly events: readonly WorkflowEvent[];
  readonly refusal: AdvanceResult["refusal"];
}

const foldInputs = async (
  ports: ControlPorts,
  start: ProjectState,
  { request, glance }: { readonly request: AdvanceRequest | null; readonly glance: Glance },
  signal: AbortSignal,
): Promise<Folded> => {
  let state = start;
  let refusal: AdvanceResult["refusal"] = null;
  const events: WorkflowEvent[] = [];
  const fold = (input: Input | null): void => {
    if (input === null) return;
    const decision = decide(state, input);
    if (decision.kind === "refused") refusal = decision;
    if (decision.kind !== "changed") return;
    state = decision.state;
    events.push(...decision.events);
  };
  const input = request?.input ?? null;
  fold(typeof input === "function" ? input(state) : input);
  if (request?.leaseOf !== undefined) {
    fold(await readHeldLease(ports, state, request.leaseOf, signal));
  }
  if (request?.expired !== undefined) {
    fold(await readExpiredLease(ports, request.expired, signal));
  }
  if (request?.requestId !== undefined) {
    fold(await readPending(ports, state, request.requestId, signal));
  }
  for (const duty of duties(state)) {
    if (duty.kind === "plan") {
      const resolved = await resolveDesired(ports, state, signal);
      fold(await claimHosts(ports, state, resolved, signal));
    }
    if (duty.kind === "replace") fold(await replaceAgain(ports, duty, signal));
    if (duty.kind === "step" && mayBeReported(duty, glance)) {
      const report = await readReport(ports, duty, state, signal);
      if (report === null) glance.unreported.add(dutyName(duty));
      fold(report);
    }
    if (duty.kind === "archive") fold(await archive(ports, state, duty, signal));
  }
  fold({ type: "time.passed", nowMs: ports.nowMs() });
  if (concernsStandbys(state)) {
    fold({ type: "nodes.seen", nodes: await readNodes(ports, signal), nowMs: ports.nowMs() });
  }
  return { state, events, refusal };
};

const mayBeReported = (duty: StepDuty, { unreported, reported }: Glance): boolean =>
  !unreported.has(dutyName(duty)) &&
  (reported === undefined || dutyName(duty) === dutyName({ ...duty, ...reported }));

/** Of what somebody is told; empty for what is done right here. */
const dutyName = (duty: Duty): string => {
  if (duty.kind === "step") return `step ${duty.deployId} ${duty.step} ${duty.node}`;
  if (duty.kind === "snapshot") return `snapshot ${duty.volume} ${duty.node}`;
  return duty.kind === "publish" ? `publish ${duty.volume} ${duty.target}` : "";
};

const findNewDuties = (before: ProjectState, now: ProjectState): Duty[] => {
  const known = new Set(duties(before).map(dutyName));
  return duties(now).filter((duty) => dutyName(duty) !== "" && !known.has(dutyName(duty)));
};

/** What a deploy that ended, or a snapshot that was dropped, leaves behind. */
const hintGarbage = async (
  ports: ControlPorts,
  before: ProjectState,
  now: ProjectState,
  signal: AbortSignal,
): Promise<void> => {
  const hasEnded = before.deploy !== null && now.deploy?.id !== before.deploy.id;
  if (!hasEnded && !hasDroppedSnapshots(before, now)) return;
  const message = { type: "garbage.hint", version: 1, project: now.project };
  await ports.send(CONTROL_QUEUE, message, signal);
};

const hasDroppedSnapshots = (before: ProjectState, now: ProjectState): boolean =>
  keysOf(before.volumes).some((name) => {
    const kept = new Set(now.volumes[name]?.snapshots.map(({ id }) => id));
    return before.volumes[name]?.snapshots.some(({ id }) => !kept.has(id)) ?? false;
  });

/** Messages for whoever owes something, and is not known to be at it. */
const sendDuties = async (
  ports: ControlPorts,
  { owed, rev }: { readonly owed: readonly Duty[]; readonly rev: Revision },
  signal: AbortSignal,
): Promise<void> => {
  await Promise.all(
    owed.map(async (duty) => {
      if (duty.kind === "step") await sendStep(ports, duty, rev, signal);
      if (duty.kind === "snapshot") {
        const hint: NodeHint = { type: "node.hint", version: 1, project: duty.project, rev };
        await ports.send(nodeQueue(duty.node), hint, signal);
      }
      if (duty.kind !== "publish" || duty.claimedUntilMs > ports.nowMs()) return;
      const { project, volume } = duty;
      const message: VolumePublish = { type: "volume.publish", version: 1, project, volume };
      await ports.send(PUBLISH_QUEUE, message, signal);
    }),
  );
};

const sendStep = async (
  ports: ControlPorts,
  { project, deployId, step, node }: StepDuty,
  rev: Revision,
  signal: AbortSignal,
): Promise<void> => {
  const kind = stepKind(step);
  if (kind === null) return;
  const type = STEP_FUNCTIONS[kind];
  const message: StepMessage = { type, version: 1, project, deployId, step, rev };
  await ports.send(nodeQueue(node), message, signal);
};
