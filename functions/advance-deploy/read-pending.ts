/** What waits in the store until a record holds it: a request for a deploy or a snapshot, a snapshot's report. */
import { pendingKey, volumePrefix } from "../../adapters/store-keys.ts";
import { TerminalError } from "../../volume/errors.ts";
import { readOutline } from "../../volume/snapshot.ts";
import { snapshotIsWhole } from "../../volume/snapshot-is-whole.ts";
import { type Input, SnapshotReport } from "../../workflows/deploy/messages.ts";
import { SnapshotId } from "../../workflows/ids.ts";
import { Desired, type ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { readJsonObject } from "../json-object.ts";
import { SnapshotRequest } from "../request-snapshot.ts";
import { pendingKind } from "../snapshot-volume/snapshot-report-id.ts";

/** Null when there is none, because it was taken up before. */
export const readPending = async (
  ports: ControlPorts,
  state: ProjectState,
  requestId: string,
  signal: AbortSignal,
): Promise<Input | null> => {
  const key = pendingKey(state.project, requestId);
  switch (pendingKind(requestId)) {
    case "deploy": {
      const request = await readJsonObject(ports.store, key, Desired, signal);
      return request === null ? null : { type: "deploy.requested", request };
    }
    case "request": {
      const request = await readJsonObject(ports.store, key, SnapshotRequest, signal);
      if (request === null) return null;
      const { volumes, requestedAtMs: nowMs } = request;
      return { type: "snapshot.requested", requestId, volumes, nowMs };
    }
    case "report": {
      const report = await readJsonObject(ports.store, key, SnapshotReport, signal);
      if (report === null) return null;
      const found = await inspectSnapshot(ports, report, signal);
      return { type: "snapshot.reported", report, ...found, nowMs: ports.nowMs() };
    }
  }
};

/** Every object that the parent does not have is asked for; damage is a no, not an error. */
const inspectSnapshot = async (
  { store }: ControlPorts,
  { project, volume, snapshot }: SnapshotReport,
  signal: AbortSignal,
): Promise<{ readonly parent: SnapshotId | null; readonly isWhole: boolean }> => {
  const nothing = { parent: null, isWhole: false };
  if (snapshot === null) return nothing;
  const place = { store, prefix: volumePrefix(project, volume), snapshotId: snapshot.id };
  try {
    const outline = await readOutline(place, signal);
    if (outline === null) return nothing;
    const parent = outline.parent === null ? null : SnapshotId.parse(outline.parent);
    const isWhole = await snapshotIsWhole({ ...place, trusted: parent }, signal);
    return { parent, isWhole };
  } catch (error) {
    if (error instanceof TerminalError) return nothing;
    throw error;
  }
};
