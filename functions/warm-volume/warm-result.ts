/** What a node answers to a request for a warm copy. Written once, read and deleted by whoever asked. */
import * as z from "zod";
import { DeployId, NodeId, VolumeName } from "../../workflows/ids.ts";
import { HydrateSummary } from "../../workflows/record.ts";

/** Begins with the time of the request in milliseconds, by which an answer nobody took is known. */
export const WarmRequestId = z.string().regex(/^\d{13,15}-[0-9a-f]{8}$/);
export type WarmRequestId = z.infer<typeof WarmRequestId>;

/** The place of the progress of a request among that of deploys. */
export const warmProgressId = (requestId: WarmRequestId): DeployId =>
  DeployId.parse(`warm-${requestId}`);

export const WarmResult = z.strictObject({
  requestId: WarmRequestId,
  node: NodeId,
  volume: VolumeName,
  atMs: z.int(),
  /** What was brought; null: it was all there. */
  hydrate: HydrateSummary.nullable(),
  failure: z
    .strictObject({ code: z.string(), message: z.string(), hint: z.string().optional() })
    .nullable(),
});
export type WarmResult = z.infer<typeof WarmResult>;
