/** Names of what waits in the store to be taken up: reports of snapshots, and requests for them. */
import type { SnapshotId, VolumeName } from "../../workflows/ids.ts";

const REPORT = "snapshot-report.";
const REQUEST = "snapshot-request.";

export const snapshotReportId = (volume: VolumeName, snapshotId: SnapshotId): string =>
  `${REPORT}${volume}.${snapshotId}`;

export const snapshotRequestId = (id: string): string => `${REQUEST}${id}`;

/** What the id is of: a report or a request of a snapshot, or anything else (a deploy's request). */
export const pendingKind = (id: string): "report" | "request" | "deploy" => {
  if (id.startsWith(REPORT)) return "report";
  return id.startsWith(REQUEST) ? "request" : "deploy";
};
