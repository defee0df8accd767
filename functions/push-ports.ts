/** Ties the webhook to the store: deliveries recorded once, requests where they can't be lost. */
import { inboxKey } from "../adapters/store-keys.ts";
import { AmbiguousError } from "../volume/errors.ts";
import type { ControlPorts } from "./control-ports.ts";
import { encodeJson } from "./json-object.ts";
import { findPushProject } from "./projects.ts";
import type { PushDelivery, ReceiveGitPushPorts } from "./receive-git-push/receive-git-push.ts";
import { hintRequest, recordRequest } from "./request-deploy.ts";

const RECORD_TRIES_MAX = 5;

export const createPushPorts = (ports: ControlPorts): ReceiveGitPushPorts => ({
  findProject: (project, signal) => findPushProject(ports, project, signal),
  recordDelivery: async (delivery, signal) => {
    const outcome = await recordOnce(ports, delivery, signal);
    await recordRequest(
      ports,
      delivery.project,
      {
        requestId: requestIdOf(delivery),
        trigger: "push",
        ref: delivery.ref,
        ...(delivery.commitHint !== null && { commitHint: delivery.commitHint }),
        force: false,
        restore: {},
        acceptLoss: false,
        requestedAtMs: delivery.receivedAtMs,
      },
      signal,
    );
    return outcome;
  },
  sendHint: (delivery, signal) =>
    hintRequest(ports, delivery.project, requestIdOf(delivery), signal),
  nowMs: ports.nowMs,
  log: ports.log,
});

const requestIdOf = ({ provider, delivery }: PushDelivery): string => `${provider}.${delivery}`;

const recordOnce = async (
  ports: ControlPorts,
  delivery: PushDelivery,
  signal: AbortSignal,
): Promise<"recorded" | "repeated"> => {
  const key = inboxKey(delivery.project, delivery.provider, delivery.delivery);
  for (let tries = 1; ; tries += 1) {
    try {
      const outcome = await ports.store.put(key, encodeJson(delivery), { ifAbsent: true }, signal);
      return outcome === "stored" ? "recorded" : "repeated";
    } catch (error) {
      if (!(error instanceof AmbiguousError) || tries >= RECORD_TRIES_MAX) throw error;
    }
  }
};
