/**
 * Gitea and Forgejo: a bare hex HMAC-SHA256 of the raw body. Forgejo sends both names of each header;
 * its own name counts where it is there.
 * docs.gitea.com/usage/webhooks, forgejo.org/docs/latest/user/webhooks/
 */
import * as z from "zod";
import {
  CommitOrZeros,
  type Delivery,
  equalsInConstantTime,
  FullRef,
  hmacSha256,
  readPayload,
  type Sender,
} from "./sender.ts";

const Push = z.object({ ref: FullRef, after: CommitOrZeros });
/** Deleting a branch is an event of its own, with the short name. */
const Delete = z.object({ ref: z.string(), ref_type: z.enum(["branch", "tag"]) });

type Name = "gitea" | "forgejo";

const createSender = (names: readonly Name[]): Sender => {
  const headerOf = ({ headers }: Delivery, suffix: string): string =>
    names.map((name) => headers[`x-${name}-${suffix}`]).find((value) => value !== undefined) ?? "";
  return {
    deliveryHeaders: names.map((name) => `x-${name}-delivery`),
    verify: (delivery, secret) =>
      equalsInConstantTime(headerOf(delivery, "signature"), hmacSha256(secret, delivery.body)),
    read: (delivery) => {
      const event = headerOf(delivery, "event");
      if (event === "delete") {
        const { ref, ref_type } = readPayload(delivery, Delete);
        const full = `refs/${ref_type === "tag" ? "tags" : "heads"}/${ref}`;
        return { kind: "push", updates: [{ ref: full, commit: null }] };
      }
      if (event !== "push") return { kind: "ignored", event };
      const { ref, after } = readPayload(delivery, Push);
      return { kind: "push", updates: [{ ref, commit: after }] };
    },
  };
};

export const gitea: Sender = createSender(["gitea"]);
export const forgejo: Sender = createSender(["forgejo", "gitea"]);
