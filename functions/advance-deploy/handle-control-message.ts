/** One message of the control queue: an event from outside, or a hint of our own. */
import type { SQSRecord } from "aws-lambda";
import { deleteTaken } from "../bring-in/delete-taken.ts";
import { collectPorts, collectProject } from "../collect-garbage/collect-project.ts";
import { releaseSources } from "../collect-garbage/release-sources.ts";
import type { ControlPorts } from "../control-ports.ts";
import { drainNode } from "../drain-node.ts";
import { ControlMessage, type DeployRequested, nodeQueue } from "../messages.ts";
import { publishEvents } from "../publish-events/publish-events.ts";
import { recordRequest } from "../request-deploy.ts";
import { snapshotRequestId } from "../snapshot-volume/snapshot-report-id.ts";
import { advanceProject } from "./advance-project.ts";
import { readSavedBranch } from "./read-branch.ts";
import { readExpiredLease } from "./read-lease.ts";

export const createHandleControlMessage =
  (ports: ControlPorts) =>
  async (record: SQSRecord, signal: AbortSignal): Promise<void> => {
    const message = ControlMessage.parse(JSON.parse(record.body));
    switch (message.type) {
      case "deploy.requested": {
        const requestId = await storeRequest(ports, message, record.messageId, signal);
        await advanceProject(ports, { project: message.project, requestId, resend: false }, signal);
        return;
      }
      case "deploy.cancel.requested": {
        const { project, deployId } = message;
        const input = { type: "deploy.cancelled" as const, deployId, nowMs: ports.nowMs() };
        const { refusal } = await advanceProject(ports, { project, input, resend: false }, signal);
        if (refusal !== null)
          ports.log.warn({ project, deploy: deployId, ...refusal }, "cancel.refused");
        return;
      }
      case "snapshot.requested": {
        const { project, volumes } = message;
        const requestId = snapshotRequestId(`queue.${message.id ?? record.messageId}`);
        const input = { type: message.type, requestId, volumes, nowMs: ports.nowMs() };
        const { refusal } = await advanceProject(ports, { project, input, resend: false }, signal);
        if (refusal !== null) ports.log.warn({ project, ...refusal }, "snapshot.refused");
        return;
      }
      case "garbage.hint": {
        const { project } = message;
        const collected = await collectProject(collectPorts(ports), project, false, signal);
        const released = await releaseSources(ports, project, signal);
        const taken = await deleteTaken(ports, project, signal);
        ports.log.info({ project, collected, released, taken }, "garbage.collected");
        return;
      }
      case "events.hint":
        // A subscriber that is behind is told when the sweep comes by again.
        await publishEvents(ports, message.project, signal);
        return;
      case "lease.held": {
        const { project, node } = message;
        await advanceProject(ports, { project, leaseOf: node, resend: false }, signal);
        const hint = { type: "node.hint", version: 1, project };
        await ports.send(nodeQueue(node), hint, signal);
        return;
      }
      case "lease.expired": {
        const { project, node } = message;
        const input = await readExpiredLease(ports, message, signal);
        if (input === null) return;
        const { refusal } = await advanceProject(ports, { project, input, resend: false }, signal);
        if (refusal !== null) ports.log.error({ project, node, ...refusal }, "failover.refused");
        return;
      }
      case "branch.kept": {
        const { project, volume, branch } = message;
        const input = { type: "branch.kept" as const, volume, branch };
        await advanceProject(ports, { project, input, resend: false }, signal);
        return;
      }
      case "branch.saved": {
        const input = await readSavedBranch(ports, message, signal);
        await advanceProject(ports, { project: message.project, input, resend: false }, signal);
        return;
      }
      case "node.drain.requested":
        await drainNode(ports, message, signal);
        return;
      case "project.hint": {
        const { project, requestId, resend } = message;
        const { refusal } = await advanceProject(ports, { project, requestId, resend }, signal);
        if (refusal !== null) ports.log.warn({ project, requestId, ...refusal }, "request.refused");
      }
    }
  };

const storeRequest = async (
  ports: ControlPorts,
  event: DeployRequested,
  messageId: string,
  signal: AbortSignal,
): Promise<string> => {
  const requestId = `queue.${event.id ?? messageId}`;
  const loaded = await ports.records.load(event.project, signal);
  const request = {
    requestId,
    trigger: "queue" as const,
    ref: event.ref ?? loaded?.state.settings.ref ?? "",
    ...(event.commit !== undefined && { commit: event.commit }),
    ...(event.target !== undefined && { target: event.target }),
    force: event.force,
    restore: event.restore,
    acceptLoss: event.acceptLoss,
    ...(event.allowLongerPause && { allowLongerPause: true }),
    ...(event.take.length > 0 && { take: event.take }),
    requestedAtMs: ports.nowMs(),
  };
  if (loaded !== null) await recordRequest(ports, event.project, request, signal);
  return requestId;
};
