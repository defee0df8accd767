/**
 * GitLab: a secret token sent as it is in `X-Gitlab-Token`, or, where one is set, a signing token
 * (`whsec_…`) with the headers of Standard Webhooks. A secret is used in the way its form tells.
 * docs.gitlab.com/user/project/integrations/webhooks/
 */
import { Webhook } from "standardwebhooks";
import * as z from "zod";
import {
  CommitOrZeros,
  type Delivery,
  decodeExactly,
  equalsInConstantTime,
  FullRef,
  readPayload,
  type Sender,
} from "./sender.ts";

const SIGNING_TOKEN_PREFIX = "whsec_";
const EVENTS = ["Push Hook", "Tag Push Hook", "System Hook"];

/** System hooks name the event in `event_name`, project hooks in `object_kind` too. */
const Kind = z.object({ object_kind: z.string().optional(), event_name: z.string().optional() });
const Push = z.object({ ref: FullRef, after: CommitOrZeros });

export const gitlab: Sender = {
  deliveryHeaders: ["webhook-id", "idempotency-key", "x-gitlab-event-uuid"],
  verify: (delivery, secret) =>
    secret.startsWith(SIGNING_TOKEN_PREFIX)
      ? hasSignature(delivery, secret)
      : equalsInConstantTime(delivery.headers["x-gitlab-token"] ?? "", secret),
  read: (delivery) => {
    const event = delivery.headers["x-gitlab-event"] ?? "";
    if (!EVENTS.includes(event)) return { kind: "ignored", event };
    const { object_kind, event_name } = readPayload(delivery, Kind);
    const kind = object_kind ?? event_name ?? "";
    if (kind !== "push" && kind !== "tag_push") return { kind: "ignored", event: kind };
    const { ref, after } = readPayload(delivery, Push);
    return { kind: "push", updates: [{ ref, commit: after }] };
  },
};

/** A time in seconds, and versioned signatures with spaces between: the package reads more than that. */
const TIMESTAMP = /^\d{1,12}$/;
const SIGNATURES = /^v\d\w*,[\w+/=-]+(?: v\d\w*,[\w+/=-]+)*$/;

/** The package refuses a timestamp more than five minutes away, and compares in constant time. */
const hasSignature = ({ headers, body }: Delivery, secret: string): boolean => {
  const text = decodeExactly(body);
  const signed = {
    "webhook-id": headers["webhook-id"] ?? "",
    "webhook-timestamp": headers["webhook-timestamp"] ?? "",
    "webhook-signature": headers["webhook-signature"] ?? "",
  };
  const isWellFormed =
    TIMESTAMP.test(signed["webhook-timestamp"]) && SIGNATURES.test(signed["webhook-signature"]);
  if (text === null || !isWellFormed) return false;
  try {
    new Webhook(secret).verify(text, signed, { jsonParse: false });
    return true;
  } catch {
    return false;
  }
};
