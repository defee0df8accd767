/**
 * For tests: a project whose container writes one volume on this node, from the node's disk to the record;
 * the real functions, engine and records over a store in memory, only Docker's answers are made up.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { createKeyedLock } from "../../adapters/keyed-lock.ts";
import { linuxFileSystem } from "../../adapters/linux.ts";
import { unchanging } from "../../adapters/live-keys.ts";
import { dataPath, openNodeDisk } from "../../adapters/node-disk.ts";
import { openProjectRecords } from "../../adapters/project-records.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import { writeSnapshot } from "../../volume/write-snapshot.ts";
import type { VolumeSettings } from "../../workflows/container-spec.ts";
import { DATA, NOW, running, X } from "../../workflows/deploy/given-deploys.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { advanceProject } from "../advance-deploy/advance-project.ts";
import type { ControlPorts } from "../control-ports.ts";
import { ProjectHint } from "../messages.ts";
import type { NodePorts } from "../node-ports.ts";

const { signal } = new AbortController();
export const project = running.project;

/** What the container answers to a command, and which it was told last. */
export interface Hook {
  command: readonly string[];
  exitCode: number;
  after?: () => void;
}

/** Its files lie in a directory of their own in `parent`. */
export const openSnapshotWorld = (parent: string) => {
  const root = mkdtempSync(join(parent, "bagage-live-"));
  const store = createMemoryObjectStore();
  const log = pino({ level: "silent" });
  const at = {
    nowMs: NOW,
    hook: null as Hook | null,
    hints: [] as ProjectHint[],
    /** The live copy, once the project stands. */
    copy: "",
  };
  const records = openProjectRecords({ store, nowMs: () => at.nowMs, newUuid: randomUUID });
  const control: ControlPorts = {
    ...{ store, records, log, newUuid: randomUUID, nowMs: () => at.nowMs },
    git: { resolve: async () => null },
    events: { post: async () => undefined, setCommitStatus: async () => undefined },
    send: async (queue, message) => {
      const hint = ProjectHint.safeParse(message);
      if (queue === "bagage-control" && hint.success) at.hints.push(hint.data);
    },
  };
  const docker: Pick<NodePorts["docker"], "exec"> = {
    exec: async ({ command }) => {
      const exitCode = at.hook?.exitCode ?? 0;
      if (at.hook !== null) at.hook.command = command;
      at.hook?.after?.();
      return { exitCode, output: exitCode === 0 ? "" : "no database", isTimedOut: false };
    },
  };
  const used: Partial<NodePorts> = {
    ...{ node: X, store, records, log, nowMs: () => at.nowMs },
    disk: openNodeDisk(root),
    docker: docker as NodePorts["docker"],
    volumes: {
      writeSnapshot: ({ onProgress: _onProgress, ...options }, either) =>
        writeSnapshot({ ...options, store, fileSystem: linuxFileSystem }, either),
    } as NodePorts["volumes"],
    locks: createKeyedLock(),
    copies: new Map(),
    wrappingKeys: unchanging([]),
    lease: { session: () => null } as NodePorts["lease"],
    sendToControl: (message, either) => control.send("bagage-control", message, either),
    newToken: () => randomBytes(4).toString("hex"),
  };
  const node = used as NodePorts;
  const load = async () => {
    const loaded = await records.load(project, signal);
    if (loaded === null) throw new Error("there is no project");
    return loaded;
  };
  return {
    at,
    control,
    node,
    load,
    open: async (state: ProjectState): Promise<void> => {
      await records.save(project, null, state, signal);
      at.copy = node.disk.pathOf(project, DATA, "live", state.volumes[DATA]?.epoch ?? (0 as never));
      mkdirSync(dataPath(at.copy), { recursive: true });
    },
    write: (text: string): void => writeFileSync(join(dataPath(at.copy), "file"), text),
    /** What control does with the hints that it got, or that the sweep sends again. */
    advance: async (): Promise<void> => {
      for (const { requestId, reported, resend } of at.hints.splice(0)) {
        await advanceProject(control, { project, requestId, reported, resend }, signal);
      }
    },
    close: () => rmSync(root, { recursive: true }),
  };
};
export type SnapshotWorld = ReturnType<typeof openSnapshotWorld>;

/** As a deploy of a file with these settings leaves it, but for the head: nothing was sealed yet. */
export const withSettings = (more: Partial<VolumeSettings>): ProjectState => {
  const volume = running.volumes[DATA];
  if (volume === undefined) throw new Error("there is no volume");
  const settings = { ...volume.settings, ...more };
  return { ...running, volumes: { [DATA]: { ...volume, settings, head: null, snapshots: [] } } };
};
