/** The ports of a traced process, and how the work of a message becomes a span. */
import type { SQSRecord } from "aws-lambda";
import type { ProjectRecords } from "../adapters/project-records.ts";
import {
  parseTraceparent,
  rootContext,
  stepParent,
  TRACEPARENT,
  type TracedDeploy,
} from "../adapters/tracing/trace-context.ts";
import type { Traces } from "../adapters/tracing/traces.ts";
import type { ProjectState } from "../workflows/record.ts";
import type { ControlPorts, GitPort } from "./control-ports.ts";
import { ProjectHint, type StepMessage } from "./messages.ts";
import { deployIdOf } from "./request-deploy.ts";
import { pendingKind } from "./snapshot-volume/snapshot-report-id.ts";
import { pastSpans } from "./trace-deploys.ts";

/** Runs the work of a queue's message; without traces just that. */
export const traceRecord = async (
  traces: Traces | undefined,
  name: string,
  record: SQSRecord,
  work: () => Promise<void>,
): Promise<void> => {
  if (traces === undefined) return work();
  const attributes = { "messaging.system": "aws_sqs", "messaging.message.id": record.messageId };
  return traces.work({ name, parent: senderOf(record) ?? requested(record), attributes }, work);
};

const senderOf = ({ messageAttributes }: SQSRecord) =>
  parseTraceparent(messageAttributes[TRACEPARENT]?.stringValue);

/** Answers a request over HTTP, which becomes part of a deploy's trace when it asks for one. */
export const traceRequest = <T>(
  traces: Traces | undefined,
  name: string,
  work: () => Promise<T>,
): Promise<T> => (traces === undefined ? work() : traces.work({ name, parent: null }, work));

/** A request names the deploy that it becomes before any record knows of it. */
const requested = ({ body }: SQSRecord) => {
  try {
    const deploy = deployOfHint(JSON.parse(body));
    return deploy === null ? null : rootContext(deploy);
  } catch {
    // The handler says what is wrong with it.
    return null;
  }
};

const deployOfHint = (message: unknown): TracedDeploy | null => {
  const hint = ProjectHint.safeParse(message);
  const requestId = hint.data?.requestId;
  if (!hint.success || requestId === undefined || pendingKind(requestId) !== "deploy") return null;
  const { project } = hint.data;
  return { project, deployId: deployIdOf(project, requestId) };
};

export const traceControl = (ports: ControlPorts, traces: Traces): ControlPorts => ({
  ...ports,
  traces,
  records: traceRecords(ports.records, traces),
  git: traceGit(ports.git, traces),
  events: {
    post: (request, signal) =>
      traces.part("tell subscriber", {}, () => ports.events.post(request, signal)),
    setCommitStatus: (request, signal) =>
      traces.part("set commit status", { "bagage.forge": request.forge }, () =>
        ports.events.setCommitStatus(request, signal),
      ),
  },
});

/** A message's attributes: where in which trace it was sent. */
export const traceAttributes = (
  traces: Traces | undefined,
  message: unknown,
): Readonly<Record<string, string>> => {
  if (traces === undefined) return {};
  const deploy = deployOfHint(message);
  if (deploy !== null) traces.belongsTo(deploy);
  const traceparent = traces.traceparent(deploy);
  return traceparent === undefined ? {} : { [TRACEPARENT]: traceparent };
};

/** Runs a node's step, below the phase that awaits it. */
export const traceStep = async (
  { traces, node }: { readonly traces?: Traces | undefined; readonly node: string },
  { type, project, deployId, step }: StepMessage,
  record: SQSRecord | null,
  work: () => Promise<void>,
): Promise<void> => {
  if (traces === undefined) return work();
  const origin = {
    name: `${type} ${step}`,
    parent: stepParent({ project, deployId }, step),
    askedBy: record === null ? null : senderOf(record),
    attributes: {
      ...{ "bagage.project": project, "bagage.deploy": deployId },
      ...{ "bagage.step": step, "bagage.node": node },
    },
  };
  return traces.work(origin, work);
};

export const traceRecords = (records: ProjectRecords, traces: Traces): ProjectRecords => ({
  ...records,
  load: async (project, signal, hinted) => {
    const loaded = await records.load(project, signal, hinted);
    if (loaded !== null) joinTrace(traces, loaded.state);
    return loaded;
  },
  save: async (project, previous, state, signal) => {
    const before = previous?.state ?? null;
    joinTrace(traces, state);
    const name = isCommit(before, state) ? "commit" : "save record";
    const saved = await traces.part(name, {}, async (note) => {
      const written = await records.save(project, previous, state, signal);
      note({ "bagage.rev": written.rev, "bagage.epoch": state.epochCounter });
      return written;
    });
    for (const span of pastSpans(before, state)) traces.tell(span);
    return saved;
  },
});

const joinTrace = (traces: Traces, state: ProjectState): void => {
  const deployId = deployOf(state);
  if (deployId !== null) traces.belongsTo({ project: state.project, deployId });
};

/** The deploy that a look at the project is most likely for. */
const deployOf = ({ deploy, desired, history }: ProjectState): string | null =>
  deploy?.id ?? desired?.deployId ?? history.find(({ archived }) => !archived)?.id ?? null;

/** The traffic switch: this revision says that the new version is the one. */
const isCommit = (before: ProjectState | null, { deploy, history }: ProjectState): boolean => {
  const ended = before?.deploy ?? null;
  if (ended === null || deploy?.id === ended.id) return false;
  return history.find(({ id }) => id === ended.id)?.result === "deployed";
};

const traceGit = (git: GitPort, traces: Traces): GitPort => ({
  resolve: (request, signal) =>
    traces.part("resolve commit", { "bagage.ref": request.ref }, async (note) => {
      const resolved = await git.resolve(request, signal);
      if (resolved !== null) note({ "bagage.commit": resolved.commit });
      return resolved;
    }),
});
