/** What the receiver needs to know of whoever sends pushes: one implementation a file beside this. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import * as z from "zod";
import { CommitId } from "../../workflows/ids.ts";
import { HttpProblem } from "../http-problem.ts";

/** A delivery as it came in. `headers` has lower-case names; a repeated header is joined by commas. */
export interface Delivery {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

export interface RefUpdate {
  /** In full: `refs/heads/main`. */
  readonly ref: string;
  /** Null: the ref was deleted. */
  readonly commit: CommitId | null;
}

export type Reading =
  | { readonly kind: "push"; readonly updates: readonly RefUpdate[] }
  | { readonly kind: "ping" }
  | { readonly kind: "ignored"; readonly event: string };

export interface Sender {
  /** Is the delivery signed with the secret? Compares in constant time; looks at raw bytes only. */
  verify(delivery: Delivery, secret: string, nowMs: number): boolean | Promise<boolean>;
  /** What a verified delivery says. Throws HttpProblem 400 when it is malformed. */
  read(delivery: Delivery): Reading;
  /** Headers that name a delivery, the same ones when it is sent again; best first. */
  readonly deliveryHeaders: readonly string[];
}

/** Equal texts, in a time that does not depend on where they differ. */
export const equalsInConstantTime = (a: string, b: string): boolean =>
  timingSafeEqual(createHash("sha256").update(a).digest(), createHash("sha256").update(b).digest());

/** Lower-case hex, as every sender writes it. */
export const hmacSha256 = (secret: string, ...parts: readonly (string | Buffer)[]): string => {
  const hmac = createHmac("sha256", secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest("hex");
};

/** The bytes as text when they are UTF-8, unchanged by the decoding; else null. */
export const decodeExactly = (body: Buffer): string | null => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return null;
  }
};

const MALFORMED = {
  status: 400,
  code: "payload-malformed",
  detail: "The body is not this sender's JSON payload.",
};

/** Reads the part of the payload that is needed. Throws HttpProblem 400, or 415 for a form. */
export const readPayload = <T extends z.ZodType>(delivery: Delivery, schema: T): z.infer<T> => {
  const contentType = delivery.headers["content-type"] ?? "application/json";
  if (!/^application\/(?:[\w.-]+\+)?json\b/i.test(contentType)) {
    const detail = "Set the webhook's content type to application/json.";
    throw new HttpProblem({ status: 415, code: "content-type-refused", detail });
  }
  const text = decodeExactly(delivery.body);
  if (text === null) throw new HttpProblem(MALFORMED);
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) throw new HttpProblem(MALFORMED, { cause: parsed.error });
  return parsed.data;
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HttpProblem(MALFORMED, { cause });
  }
};

const REF_LENGTH_MAX = 1_024;
export const FullRef = z.string().startsWith("refs/").max(REF_LENGTH_MAX);

/** A commit id as senders write it: all zeros stand for "no commit". */
export const CommitOrZeros = z
  .string()
  .toLowerCase()
  .transform((id) => (/^0+$/.test(id) ? null : id))
  .pipe(CommitId.nullable());
