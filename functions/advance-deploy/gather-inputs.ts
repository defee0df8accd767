/**
 * Reads everything outside the record that may move it on: pending requests, the reports a deploy
 * awaits, the desired commit in git, and the time. Each becomes an input for decide().
 */
import { receiptKey, reportKey, volumePrefix } from "../../adapters/store-keys.ts";
import { TerminalError } from "../../volume/errors.ts";
import { snapshotIsWhole } from "../../volume/snapshot-is-whole.ts";
import { parseDeliverous } from "../../workflows/deliverous.ts";
import type { Duty } from "../../workflows/deploy/duties.ts";
import { type Input, Report } from "../../workflows/deploy/messages.ts";
import { isDue } from "../../workflows/deploy/owed-replacement.ts";
import type { SnapshotId } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { ControlPorts } from "../control-ports.ts";
import { encodeJson, readJsonObject } from "../json-object.ts";
import { deployIdOf } from "../request-deploy.ts";
import { readNodes } from "./read-nodes.ts";

type DutyOf<K extends Duty["kind"]> = Extract<Duty, { kind: K }>;

/**
 * The report of an awaited step, if it stands. Its snapshots are checked object by object; those of
 * the copies as they come, so that at the seal, while nobody serves, only its own are left to check.
 */
export const readReport = async (
  ports: ControlPorts,
  { project, deployId, step, node }: DutyOf<"step">,
  state: ProjectState,
  signal: AbortSignal,
): Promise<Input | null> => {
  const key = reportKey(project, deployId, step, node);
  const report = await readJsonObject(ports.store, key, Report, signal);
  if (report === null) return null;
  const verifiedSnapshots: SnapshotId[] = [];
  if (report.failure === null) {
    for (const volume of keysOf(report.volumes)) {
      const id = report.volumes[volume]?.snapshot?.id;
      if (id === undefined) continue;
      const copies = state.deploy?.volumes[volume]?.copies ?? [];
      const known = copies.findLast(({ isVerified }) => isVerified === true);
      const trusted = known?.snapshotId ?? state.volumes[volume]?.head?.id ?? null;
      const prefix = volumePrefix(project, volume);
      const place = { store: ports.store, prefix, snapshotId: id, trusted };
      if (await snapshotIsWhole(place, signal)) verifiedSnapshots.push(id);
    }
  }
  return { type: "report.received", report, verifiedSnapshots, nowMs: ports.nowMs() };
};

/** The desired deploy as git has it now; the payload of a push is never trusted for it. */
export const resolveDesired = async (
  ports: ControlPorts,
  state: ProjectState,
  signal: AbortSignal,
): Promise<Input | null> => {
  const desired = state.desired;
  if (desired === null) return null;
  const { requestId, ref, commit } = desired;
  const { repository, file } = state.settings;
  const refuse = (reason: string, at = commit ?? null): Input => ({
    type: "deploy.unresolvable",
    requestId,
    commit: at,
    reason,
    nowMs: ports.nowMs(),
  });
  try {
    const resolved = await ports.git.resolve({ repository, ref, commit, file }, signal);
    if (resolved === null) return refuse(`${commit ?? ref} is not in the repository`);
    if (resolved.file === null) {
      return refuse(`the commit has no file ${file}: add it and push again`, resolved.commit);
    }
    const parsed = parseDeliverous(resolved.file, file);
    if (!parsed.ok) {
      const problems = parsed.problems.map(
        (p) => `${file}:${p.line}:${p.column} ${p.message}; ${p.remedy}`,
      );
      return refuse(problems.join("\n"), resolved.commit);
    }
    const nodes = await readNodes(ports, signal);
    return {
      type: "deploy.resolved",
      requestId,
      commit: resolved.commit,
      subject: resolved.subject,
      spec: parsed.spec,
      nodes,
      nowMs: ports.nowMs(),
    };
  } catch (error) {
    if (error instanceof TerminalError) return refuse(error.message);
    throw error;
  }
};

/** Null before it is due. */
export const replaceAgain = async (
  ports: ControlPorts,
  { project, owed }: DutyOf<"replace">,
  signal: AbortSignal,
): Promise<Input | null> => {
  const nowMs = ports.nowMs();
  if (!isDue(owed, nowMs)) return null;
  const requestId = `replace.${owed.node}.${ports.newUuid()}`;
  const deployId = deployIdOf(project, requestId);
  const nodes = await readNodes(ports, signal);
  return { type: "replacement.due", nowMs, replacement: { requestId, deployId, nodes } };
};

/** Writes the receipt of an ended deploy; the input that says so. */
export const archive = async (
  ports: ControlPorts,
  state: ProjectState,
  { project, deployId }: DutyOf<"archive">,
  signal: AbortSignal,
): Promise<Input | null> => {
  const ended = state.history.find(({ id }) => id === deployId);
  if (ended === undefined) return null;
  await ports.store.put(
    receiptKey(project, deployId),
    encodeJson({ ...ended, archived: true }),
    { contentType: "application/json" },
    signal,
  );
  return { type: "deploy.archived", deployId };
};
