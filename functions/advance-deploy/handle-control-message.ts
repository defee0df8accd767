/** One message of the control queue: an event from outside, or a hint of our own. */
import type { SQSRecord } from "aws-lambda";
import { createKeyedLock } from "../../adapters/keyed-lock.ts";
import type { Input } from "../../workflows/deploy/messages.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { collectAll } from "../collect-garbage/collect-all.ts";
import type { ControlPorts } from "../control-ports.ts";
import { drainNode } from "../drain-node.ts";
import { ControlMessage, type DeployRequested, type NodeHint, nodeQueue } from "../messages.ts";
import { publishEvents } from "../publish-events/publish-events.ts";
import { deployIdOf } from "../request-deploy.ts";
import { snapshotRequestId } from "../snapshot-volume/snapshot-report-id.ts";
import { type AdvanceRequest, type AdvanceResult, advanceProject } from "./advance-project.ts";
import { expireLease } from "./expire-lease.ts";
import { readSavedBranch } from "./read-branch.ts";

export const createHandleControlMessage = (ports: ControlPorts) => {
  const locks = createKeyedLock();
  /** One at a time for each project here: two would race for one revision, and one do all in vain. */
  const advance = (request: AdvanceRequest, signal: AbortSignal): Promise<AdvanceResult> =>
    locks.run(request.project, () => advanceProject(ports, request, signal));
  return async (record: SQSRecord, signal: AbortSignal): Promise<void> => {
    const message = ControlMessage.parse(JSON.parse(record.body));
    switch (message.type) {
      case "deploy.requested": {
        // Not stored as a push is: until this has succeeded, the queue has it.
        const { project } = message;
        const input = requestOf(message, record.messageId, ports.nowMs());
        await advance({ project, input, resend: false }, signal);
        return;
      }
      case "deploy.cancel.requested": {
        const { project, deployId } = message;
        const input = { type: "deploy.cancelled" as const, deployId, nowMs: ports.nowMs() };
        const { refusal } = await advance({ project, input, resend: false }, signal);
        if (refusal !== null)
          ports.log.warn({ project, deploy: deployId, ...refusal }, "cancel.refused");
        return;
      }
      case "snapshot.requested": {
        const { project, volumes } = message;
        const requestId = snapshotRequestId(`queue.${message.id ?? record.messageId}`);
        const input = { type: message.type, requestId, volumes, nowMs: ports.nowMs() };
        const { refusal } = await advance({ project, input, resend: false }, signal);
        if (refusal !== null) ports.log.warn({ project, ...refusal }, "snapshot.refused");
        return;
      }
      case "garbage.hint": {
        const { project } = message;
        const loaded = await ports.records.load(project, signal);
        if (loaded === null) return;
        const gone = await collectAll(ports, loaded.state, signal);
        ports.log.info({ project, ...gone }, "garbage.collected");
        return;
      }
      case "events.hint":
        // A subscriber that is behind is told when the sweep comes by again.
        await publishEvents(ports, message.project, signal);
        return;
      case "lease.held": {
        const { project, node } = message;
        const { rev } = await advance({ project, leaseOf: node, resend: false }, signal);
        const hint: NodeHint = { type: "node.hint", version: 1, project, rev };
        await ports.send(nodeQueue(node), hint, signal);
        return;
      }
      case "lease.expired":
        await expireLease(ports, advance, message, signal);
        return;
      case "branch.kept": {
        const { project, volume, branch } = message;
        const input = { type: "branch.kept" as const, volume, branch };
        await advance({ project, input, resend: false }, signal);
        return;
      }
      case "branch.saved": {
        const input = await readSavedBranch(ports, message, signal);
        await advance({ project: message.project, input, resend: false }, signal);
        return;
      }
      case "node.drain.requested":
        await drainNode(ports, message, signal);
        return;
      case "project.hint": {
        const { project, requestId, reported, resend } = message;
        const { refusal } = await advance({ project, requestId, reported, resend }, signal);
        if (refusal !== null) ports.log.warn({ project, requestId, ...refusal }, "request.refused");
      }
    }
  };
};

const requestOf =
  (event: DeployRequested, messageId: string, requestedAtMs: number) =>
  (state: ProjectState): Input => {
    const requestId = `queue.${event.id ?? messageId}`;
    const request = {
      requestId,
      deployId: deployIdOf(event.project, requestId),
      trigger: "queue" as const,
      ref: event.ref ?? state.settings.ref,
      ...(event.commit !== undefined && { commit: event.commit }),
      ...(event.target !== undefined && { target: event.target }),
      force: event.force,
      restore: event.restore,
      acceptLoss: event.acceptLoss,
      ...(event.allowLongerPause && { allowLongerPause: true }),
      ...(event.take.length > 0 && { take: event.take }),
      requestedAtMs,
    };
    return { type: "deploy.requested", request };
  };
