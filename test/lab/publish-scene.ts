/** A project with one volume that is published: on real gateways, with the functions called by hand. */
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { linuxFileSystem } from "../../adapters/linux.ts";
import { unchanging } from "../../adapters/live-keys.ts";
import { openStore } from "../../adapters/open-store.ts";
import { openProjectRecords } from "../../adapters/project-records.ts";
import { volumePrefix } from "../../adapters/store-keys.ts";
import { advanceProject } from "../../functions/advance-deploy/advance-project.ts";
import {
  newDataKey,
  unwrapKeys,
  type WrappingKeys,
  wrapKey,
} from "../../functions/project-keys.ts";
import { addProject } from "../../functions/projects.ts";
import type { PublishPorts } from "../../functions/publish-volume/publish-turn.ts";
import { publishVolume } from "../../functions/publish-volume/publish-volume.ts";
import { enableSpace } from "../../functions/spaces/manage-keys.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { type DataKeys, NO_KEYS } from "../../volume/sealing.ts";
import { writeSnapshot } from "../../volume/write-snapshot.ts";
import { Epoch, ProjectId, SnapshotId, VolumeName } from "../../workflows/ids.ts";
import { newVolume } from "../../workflows/new-volume.ts";
import type { SnapshotRef, VolumeState } from "../../workflows/record.ts";
import { connectLabSpaces, requireStore, spacesEnvironment } from "./spaces-scene.ts";

export const VOLUME = VolumeName.parse("data");

/** Users' buckets are reached through the first gateway, the platform's through the second. */
export const SPACES_GATEWAY = 0;

export const openPublishScene = async (
  lab: Lab,
  name: string,
  signal: AbortSignal,
  /** Given: what the project stores is sealed under it. */
  wrappingKeys: WrappingKeys = [],
) => {
  const s3 = requireStore(lab);
  const project = ProjectId.parse(`${name}-${randomUUID().slice(0, 8)}`);
  const [spacesEndpoint = "", platformEndpoint = ""] = s3.endpoints;
  const environment = {
    ...(await spacesEnvironment(lab, signal)),
    BAGAGE_S3_ENDPOINT: spacesEndpoint,
  };
  const { accessKeyId, secretAccessKey, region, bucket } = s3;
  const keys = { endpoints: [platformEndpoint], accessKeyId, secretAccessKey, region };
  const store = await openStore({ url: `s3://${bucket}`, ...keys });
  const records = openProjectRecords({ store, nowMs: Date.now, newUuid: randomUUID });
  const spaces = connectLabSpaces(environment, store);
  const sent: unknown[] = [];
  const ports: PublishPorts = {
    store,
    records,
    spaces,
    wrappingKeys: unchanging(wrappingKeys),
    git: { resolve: async () => null },
    events: { post: async () => undefined, setCommitStatus: async () => undefined },
    send: async (_queue, message) => {
      sent.push(message);
    },
    nowMs: Date.now,
    newUuid: randomUUID,
    log: pino({ level: "silent" }),
  };
  const settings = {
    repository: "r",
    ref: "refs/heads/main",
    file: "f",
    nodes: [],
    constraints: [],
  };
  await addProject(ports, project, settings, undefined, signal);
  const { space, key } = await enableSpace(spaces, project, signal);
  if (key === null) throw new Error("no key was shown");
  const dataKeys = await sealProject(ports, project, signal);
  const volume = openVolume({ store, project, keys: dataKeys }, signal);
  const edit = async (change: (volume: VolumeState) => VolumeState): Promise<void> => {
    const loaded = await records.load(project, signal);
    if (loaded === null) throw new Error("no project");
    const known = loaded.state.volumes[VOLUME] ?? NEW_VOLUME;
    const volumes = { ...loaded.state.volumes, [VOLUME]: change(known) };
    await records.save(project, loaded, { ...loaded.state, volumes }, signal);
  };
  return {
    project,
    space,
    key,
    ports,
    sent,
    source: volume.source,
    edit,
    /** Takes a snapshot of the source and makes it the volume's head. */
    snapshot: async (): Promise<void> => {
      const head = await volume.snapshot();
      await edit((known) => ({ ...known, head, snapshots: [...known.snapshots, head] }));
    },
    publish: (override: Partial<PublishPorts> = {}, within: AbortSignal = signal) =>
      publishVolume({ ...ports, ...override }, project, VOLUME, within),
    /** What `bagage s3 publish` asks for. */
    retry: () => {
      const input = { type: "publication.requested", volume: VOLUME, full: false } as const;
      return advanceProject(ports, { project, input, resend: true }, signal);
    },
    advance: () => advanceProject(ports, { project, resend: true }, signal),
    publication: async () =>
      (await records.load(project, signal))?.state.volumes[VOLUME]?.publication ?? null,
    close: volume.remove,
  };
};

const NEW_VOLUME = newVolume({ onNodeLoss: "wait", publish: "s3" }, Epoch.parse(1));

/** With a data key of its own, where there is something to wrap it with. */
const sealProject = async (
  ports: PublishPorts,
  project: ProjectId,
  signal: AbortSignal,
): Promise<DataKeys> => {
  const wrappingKeys = await ports.wrappingKeys.current();
  if (wrappingKeys.length === 0) return NO_KEYS;
  const key = wrapKey(wrappingKeys, project, newDataKey());
  const input = { type: "key.added", key, isCurrent: true } as const;
  const { state } = await advanceProject(ports, { project, input, resend: false }, signal);
  return unwrapKeys(wrappingKeys, state);
};

interface VolumeOptions {
  readonly store: ObjectStore;
  readonly project: ProjectId;
  readonly keys: DataKeys;
}

const openVolume = ({ store, project, keys }: VolumeOptions, signal: AbortSignal) => {
  const scratch = mkdtempSync(join(tmpdir(), "bagage-publish-"));
  const source = join(scratch, "data");
  mkdirSync(source);
  let parent: SnapshotId | null = null;
  return {
    source,
    remove: () => rmSync(scratch, { recursive: true, force: true }),
    snapshot: async (): Promise<SnapshotRef> => {
      const id = SnapshotId.parse(randomUUID());
      const index = join(scratch, "index");
      const summary = await writeSnapshot(
        {
          store,
          prefix: volumePrefix(project, VOLUME),
          directory: source,
          indexFile: index,
          parentIndexFile: index,
          snapshotId: id,
          epoch: 1,
          attempt: id,
          parent,
          fileSystem: linuxFileSystem,
          keys,
        },
        signal,
      );
      parent = id;
      const { digest, files, bytes, storedBytes } = summary;
      const times = { takenAtMs: Date.now(), kind: "final" as const, stopped: "clean" as const };
      return {
        id,
        epoch: Epoch.parse(1),
        digest,
        files,
        bytes,
        storedBytes,
        ...times,
        deployId: null,
      };
    },
  };
};
