/**
 * What every step on a node has in common: read the record again, do the work only if the deploy
 * still waits for it, write the result once, and only then tell the queue.
 */
import { reportKey } from "../adapters/store-keys.ts";
import { AmbiguousError, RetryableError, TerminalError } from "../volume/errors.ts";
import type { Report } from "../workflows/deploy/messages.ts";
import { isWayBack } from "../workflows/deploy/steps.ts";
import type { LeaseSession } from "../workflows/ids.ts";
import { assignNode, type NodeAssignment } from "../workflows/node/assignment.ts";
import type { Deploy, ProjectState } from "../workflows/record.ts";
import { elapsedMs } from "./elapsed-ms.ts";
import { encodeJson } from "./json-object.ts";
import type { StepMessage } from "./messages.ts";
import type { NodePorts } from "./node-ports.ts";
import { openStepProgress, type StepProgressWriter } from "./step-progress.ts";

export interface StepWork {
  readonly state: ProjectState;
  readonly deploy: Deploy;
  readonly assignment: NodeAssignment;
  readonly step: string;
  /** The session of the node's lease that held before the record was read; null: none did. */
  readonly session: LeaseSession | null;
  /** Where the step tells how far it is. */
  readonly progress: StepProgressWriter;
}

export type StepFindings = Pick<Report, "volumes" | "containers" | "lease">;

/**
 * Runs the step and reports it. A TerminalError is a result: the deploy takes its way back. On that
 * way there is nothing to fall back on: an obstacle is waited out, never reported. Any other error
 * leaves the message to be delivered again.
 */
export const runStep = async (
  ports: NodePorts,
  message: StepMessage,
  perform: (work: StepWork) => Promise<StepFindings>,
  signal: AbortSignal,
): Promise<void> => {
  const { project, deployId, step } = message;
  const key = reportKey(project, deployId, step, ports.node);
  const { reports } = ports;
  const stands = async (): Promise<boolean> => (await ports.store.head(key, signal)) !== null;
  const mayStand = async ({ phase }: Deploy): Promise<boolean> =>
    reports?.mayStand(key, phase.sinceMs) === true && (await stands());
  // Asked for at once: a report that comes meanwhile only makes the step run in vain.
  const [work, standing] = await Promise.all([
    findWork(ports, message, signal),
    reports === undefined && stands(),
  ]);
  if (work === null) return;
  const isReported = standing || (await mayStand(work.deploy));
  if (!isReported) {
    const began = ports.nowMs();
    const progress = openStepProgress(ports, message, signal);
    const report = await performOrFail(ports, { ...work, progress }, perform, signal).finally(
      progress.stop,
    );
    await writeReport(ports, key, { ...report, project, deployId, step, node: ports.node }, signal);
    ports.reports?.written(key);
    const { phase } = work.deploy;
    ports.log.info(
      {
        project,
        deploy: deployId,
        phase: phase.name,
        step,
        ms: elapsedMs(began, ports.nowMs()),
        failure: report.failure,
      },
      report.failure === null ? "step.reported" : "step.failed",
    );
  }
  const reported = { deployId, step, node: ports.node };
  await ports.sendToControl({ type: "project.hint", version: 1, project, reported }, signal);
};

/** The step as the record has it now; null when it is done, superseded or nobody's business. */
export const findWork = async (
  ports: NodePorts,
  { project, deployId, step, rev }: StepMessage,
  signal: AbortSignal,
): Promise<Omit<StepWork, "progress"> | null> => {
  const session = ports.lease.session();
  const loaded = await ports.records.load(project, signal, rev);
  const deploy = loaded?.state.deploy ?? null;
  if (loaded === null || deploy === null) return null;
  const assignment = assignNode(loaded.state, ports.node);
  const isOwed = assignment.steps.some((s) => s.deployId === deployId && s.step === step);
  return isOwed ? { state: loaded.state, deploy, assignment, step, session } : null;
};

const performOrFail = async (
  ports: NodePorts,
  work: StepWork,
  perform: (work: StepWork) => Promise<StepFindings>,
  signal: AbortSignal,
): Promise<Omit<Report, "project" | "deployId" | "step" | "node">> => {
  try {
    const findings = await perform(work);
    return { ...findings, atMs: ports.nowMs(), failure: null };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TerminalError)) throw error;
    if (isWayBack(work.step)) throw obstructed(work.step, error);
    const message = error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
    return {
      atMs: ports.nowMs(),
      failure: { code: error.code, message },
      volumes: {},
      containers: {},
    };
  }
};

const obstructed = (step: string, { message, code, hint }: TerminalError): RetryableError =>
  new RetryableError(`${step} waits: ${message}`, { code, ...(hint !== undefined && { hint }) });

/** Created once: of several tries of one step the first result stands. */
const writeReport = async (
  ports: NodePorts,
  key: string,
  report: Report,
  signal: AbortSignal,
): Promise<void> => {
  const body = encodeJson(report);
  const options = { ifAbsent: true, contentType: "application/json" };
  for (let tries = 1; ; tries += 1) {
    try {
      await ports.store.put(key, body, options, signal);
      return;
    } catch (error) {
      if (!(error instanceof AmbiguousError) || tries >= REPORT_TRIES_MAX) throw error;
    }
  }
};

const REPORT_TRIES_MAX = 5;
