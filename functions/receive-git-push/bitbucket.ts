/**
 * Bitbucket Cloud and Data Center: `X-Hub-Signature: sha256=…` over the raw body.
 * support.atlassian.com/bitbucket-cloud/docs/manage-webhooks,
 * confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
 */
import * as z from "zod";
import {
  CommitOrZeros,
  equalsInConstantTime,
  FullRef,
  hmacSha256,
  type RefUpdate,
  readPayload,
  type Sender,
} from "./sender.ts";

const CHANGES_MAX = 10_000;

const Ref = z.object({ type: z.string(), name: z.string() });
const CloudPush = z.object({
  push: z.object({
    changes: z
      .array(
        z.object({
          new: Ref.extend({ target: z.object({ hash: CommitOrZeros }) }).nullable(),
          old: Ref.nullable(),
        }),
      )
      .max(CHANGES_MAX),
  }),
});
const DataCenterPush = z.object({
  changes: z
    .array(z.object({ ref: z.object({ id: FullRef }), toHash: CommitOrZeros }))
    .max(CHANGES_MAX),
});

export const bitbucket: Sender = {
  deliveryHeaders: ["x-request-uuid", "x-request-id"],
  verify: ({ headers, body }, secret) =>
    equalsInConstantTime(headers["x-hub-signature"] ?? "", `sha256=${hmacSha256(secret, body)}`),
  read: (delivery) => {
    const event = delivery.headers["x-event-key"] ?? "";
    if (event === "diagnostics:ping") return { kind: "ping" };
    if (event === "repo:refs_changed") {
      const { changes } = readPayload(delivery, DataCenterPush);
      const updates = changes.map(({ ref, toHash }) => ({ ref: ref.id, commit: toHash }));
      return { kind: "push", updates };
    }
    if (event !== "repo:push") return { kind: "ignored", event };
    const { push } = readPayload(delivery, CloudPush);
    return { kind: "push", updates: push.changes.flatMap(toUpdate) };
  },
};

type CloudChange = z.infer<typeof CloudPush>["push"]["changes"][number];

const toUpdate = ({ new: now, old }: CloudChange): RefUpdate[] => {
  const named = now ?? old;
  if (named === null) return [];
  const folder = named.type.endsWith("tag") ? "tags" : "heads";
  return [{ ref: `refs/${folder}/${named.name}`, commit: now?.target.hash ?? null }];
};
