/**
 * A push, as a forge or a hook tells it: verified on the raw bytes, recorded once, hinted, answered.
 * What the payload says is only a hint: the deploy reads the ref from the project's own repository.
 */
import { createHash } from "node:crypto";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import type { Logger } from "pino";
import type { CommitId, ProjectId } from "../../workflows/ids.ts";
import { readBody } from "../http-body.ts";
import { HttpProblem, UNAVAILABLE } from "../http-problem.ts";
import type { Delivery, RefUpdate, Sender } from "./sender.ts";
import { type Provider, routeOf, type Verified, verifyDelivery } from "./verify-delivery.ts";

export interface PushProject {
  /** Any of them may have signed: a secret is replaced by adding the new one first. */
  readonly webhookSecrets: readonly string[];
  /** The ref whose pushes deploy, in full. Tags are followed only if this is one. */
  readonly ref: string;
}

export interface PushDelivery {
  readonly project: ProjectId;
  readonly provider: Provider;
  /** The same for a delivery that is sent again; `[A-Za-z0-9._-]`, at most 128. */
  readonly delivery: string;
  readonly ref: string;
  /** What the sender believes the ref to be; null: deleted. */
  readonly commitHint: CommitId | null;
  readonly receivedAtMs: number;
}

export interface ReceiveGitPushPorts {
  findProject(project: ProjectId, signal: AbortSignal): Promise<PushProject | null>;
  /** Durable when it returns. A failure is answered 503, and the sender sends again. */
  recordDelivery(delivery: PushDelivery, signal: AbortSignal): Promise<"recorded" | "repeated">;
  /** May be lost: what was recorded is found by the sweep. */
  sendHint(delivery: PushDelivery, signal: AbortSignal): Promise<void>;
  nowMs(): number;
  readonly log: Logger;
}

export type ReceiveGitPush = (
  event: APIGatewayProxyEventV2,
  signal: AbortSignal,
) => Promise<APIGatewayProxyStructuredResultV2>;

/** GitHub sends up to 25 MB. */
export const BODY_BYTES_MAX = 25 * 2 ** 20;
/** GitHub gives up after 10 s, the others later. */
const ANSWER_MS_MAX = 8_000;

/**
 * `POST /hooks/{provider}/{project}`. 202: recorded, repeated or ignored, the body says which;
 * 200: a ping. 401 is the same for a wrong signature, an unknown project and an unknown provider.
 */
export const createReceiveGitPush =
  (ports: ReceiveGitPushPorts): ReceiveGitPush =>
  async (event, outerSignal) => {
    const signal = AbortSignal.any([outerSignal, AbortSignal.timeout(ANSWER_MS_MAX)]);
    const delivery = { headers: event.headers, body: readBody(event, BODY_BYTES_MAX) };
    const verified = await verifyDelivery(ports, routeOf(event), delivery, signal);
    if (verified === null) {
      ports.log.warn({ path: event.rawPath }, "push.refused");
      throw new HttpProblem({
        status: 401,
        code: "signature-refused",
        detail:
          "The delivery is not signed with this project's secret, or there is no such project.",
      });
    }
    const { project, provider, ref, sender } = verified;
    const reading = sender.read(delivery);
    if (reading.kind === "ping") return answer(200, { outcome: "pong" });
    if (reading.kind === "ignored") return ignore(`event "${reading.event}" is not a push`);
    const update = reading.updates.findLast((candidate) => candidate.ref === ref);
    if (update === undefined) return ignore(`the project follows ${ref}`);
    return accept(
      ports,
      toPushDelivery(ports, { project, provider, sender }, delivery, update),
      signal,
    );
  };

const toPushDelivery = (
  ports: ReceiveGitPushPorts,
  { project, provider, sender }: Omit<Verified, "ref">,
  delivery: Delivery,
  { ref, commit }: RefUpdate,
): PushDelivery => ({
  project,
  provider,
  delivery: nameOf(sender, delivery),
  ref,
  commitHint: commit,
  receivedAtMs: ports.nowMs(),
});

/** The sender's name of the delivery where it is a plain id, else a digest of the name, or of all. */
const nameOf = ({ deliveryHeaders }: Sender, { headers, body }: Delivery): string => {
  const given = deliveryHeaders.map((name) => headers[name]).find((value) => value !== undefined);
  const id = given?.replaceAll(/[{}]/g, "");
  if (id !== undefined && /^[A-Za-z0-9._-]{1,128}$/.test(id)) return id;
  return createHash("sha256")
    .update(id ?? body)
    .digest("hex");
};

const accept = async (
  ports: ReceiveGitPushPorts,
  push: PushDelivery,
  signal: AbortSignal,
): Promise<APIGatewayProxyStructuredResultV2> => {
  const { project, provider, delivery, ref, commitHint } = push;
  const outcome = await record(ports, push, signal);
  ports.log.info({ project, provider, delivery, ref, commitHint, outcome }, "push.received");
  try {
    await ports.sendHint(push, signal);
  } catch (err) {
    ports.log.warn({ err, project, delivery }, "push.hint-lost");
  }
  return answer(202, { outcome, delivery });
};

const record = async (ports: ReceiveGitPushPorts, push: PushDelivery, signal: AbortSignal) => {
  try {
    return await ports.recordDelivery(push, signal);
  } catch (cause) {
    throw new HttpProblem(UNAVAILABLE, { cause });
  }
};

const ignore = (reason: string): APIGatewayProxyStructuredResultV2 =>
  answer(202, { outcome: "ignored", reason });

const answer = (statusCode: number, body: object): APIGatewayProxyStructuredResultV2 => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});
