/**
 * A bare repository's `post-receive` hook (infra/post-receive). The signature covers the time of
 * sending and the raw body: `HMAC-SHA256(secret, "<timestamp>.<body>")`.
 */
import * as z from "zod";
import {
  CommitOrZeros,
  equalsInConstantTime,
  FullRef,
  hmacSha256,
  readPayload,
  type Sender,
} from "./sender.ts";

const UPDATES_MAX = 10_000;
/** A delivery older than this is a replay, or a host whose clock is wrong. */
const AGE_MS_MAX = 5 * 60_000;

const Push = z.object({
  updates: z.array(z.object({ ref: FullRef, after: CommitOrZeros })).max(UPDATES_MAX),
});

export const bareGit: Sender = {
  deliveryHeaders: ["x-bagage-delivery"],
  verify: ({ headers, body }, secret, nowMs) => {
    const timestamp = headers["x-bagage-timestamp"] ?? "";
    if (!/^\d{1,12}$/.test(timestamp)) return false;
    const expected = `sha256=${hmacSha256(secret, `${timestamp}.`, body)}`;
    const isSigned = equalsInConstantTime(headers["x-bagage-signature-256"] ?? "", expected);
    return isSigned && Math.abs(nowMs - Number(timestamp) * 1_000) <= AGE_MS_MAX;
  },
  read: (delivery) => {
    const { updates } = readPayload(delivery, Push);
    return { kind: "push", updates: updates.map(({ ref, after }) => ({ ref, commit: after })) };
  },
};
