/**
 * GitHub: `X-Hub-Signature-256` over the raw body. A delivery signed with SHA-1 only is refused.
 * docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
import { verify } from "@octokit/webhooks-methods";
import * as z from "zod";
import { CommitOrZeros, decodeExactly, FullRef, readPayload, type Sender } from "./sender.ts";

const Push = z.object({ ref: FullRef, after: CommitOrZeros, deleted: z.boolean().default(false) });

export const github: Sender = {
  deliveryHeaders: ["x-github-delivery"],
  verify: async ({ headers, body }, secret) => {
    const signature = headers["x-hub-signature-256"] ?? "";
    const text = decodeExactly(body);
    if (!/^sha256=[0-9a-f]{64}$/.test(signature) || text === null || text === "") return false;
    return verify(secret, text, signature);
  },
  read: (delivery) => {
    const event = delivery.headers["x-github-event"] ?? "";
    if (event === "ping") return { kind: "ping" };
    if (event !== "push") return { kind: "ignored", event };
    const { ref, after, deleted } = readPayload(delivery, Push);
    return { kind: "push", updates: [{ ref, commit: deleted ? null : after }] };
  },
};
