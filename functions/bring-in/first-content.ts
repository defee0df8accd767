/**
 * The first content of a new volume, `from: s3://bucket/prefix`: fetched while nothing waits, and
 * moved into place before the container starts for the first time.
 */
import { open, readFile, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeFileDurably } from "../../adapters/durable-file.ts";
import { dataPath } from "../../adapters/node-disk.ts";
import { openS3Bucket } from "../../adapters/s3-bucket.ts";
import { TerminalError } from "../../volume/errors.ts";
import type { DeployId, ProjectId, VolumeName } from "../../workflows/ids.ts";
import type { NodePorts, OnVolumeProgress } from "../node-ports.ts";
import { requireSpace, spaceCredentials } from "../spaces/space.ts";
import { placeObjects } from "./place-objects.ts";

export interface FirstContent {
  readonly project: ProjectId;
  readonly volume: VolumeName;
  /** What an earlier deploy fetched may be old. */
  readonly deployId: DeployId;
  /** `s3://bucket/prefix`; only what the project's own key can read. */
  readonly from: string;
}

const FROM = /^s3:\/\/([^/]+)(?:\/(.*))?$/u;

/** Beside the staged data: they are complete, and this is where they are from. */
const notePath = (staging: string): string => join(staging, "from.txt");

const noteOf = (deployId: DeployId, from: string): string => `${deployId} ${from}`;

const readNote = (staging: string): Promise<string | null> =>
  readFile(notePath(staging), "utf8").catch(() => null);

/** Idempotent. Throws TerminalError where there is nothing to begin with, before anything starts. */
export const fetchFirstContent = async (
  ports: NodePorts,
  { project, volume, deployId, from }: FirstContent,
  onProgress: OnVolumeProgress,
  signal: AbortSignal,
): Promise<void> => {
  const staging = ports.disk.stagingPath(project, volume);
  if ((await readNote(staging)) === noteOf(deployId, from)) return;
  const [, bucketName = "", path = ""] = FROM.exec(from) ?? [];
  const prefix = path === "" || path.endsWith("/") ? path : `${path}/`;
  const space = await requireSpace(ports, project, signal);
  const bucket = openS3Bucket({ ...space, ...spaceCredentials(space), bucket: bucketName });
  await ports.disk.remove(staging);
  await ports.disk.createEmpty(staging, ports.nowMs());
  let bytes = 0;
  let files = 0;
  const refuse = (name: string, reason: string, hint?: string): never => {
    throw new TerminalError(`${from}: ${name}: ${reason}`, {
      code: "from-refused",
      ...(hint !== undefined && { hint }),
    });
  };
  try {
    await placeObjects(
      {
        bucket,
        prefix,
        directory: dataPath(staging),
        freeBytes: () => ports.disk.freeBytes(),
        onPlaced: (object) => {
          bytes += object.bytes;
          files += 1;
          onProgress({ doneBytes: bytes, totalBytes: null, transferredBytes: bytes });
        },
        onRefused: ({ key }, reason) => refuse(key, reason),
      },
      signal,
    );
  } finally {
    bucket.close();
  }
  if (files === 0) {
    const reason = `the first content of ${volume} must have files`;
    refuse("nothing is there", reason, "put files there, or take `from` away");
  }
  await writeFileDurably(notePath(staging), noteOf(deployId, from));
  ports.log.info({ project, volume, from, files, bytes }, "first-content.fetched");
};

/** Puts what was fetched in the place of the volume's empty directory. A crash may end it anywhere. */
export const placeFirstContent = async (
  ports: NodePorts,
  { project, volume, deployId, from }: FirstContent,
  livePath: string,
): Promise<void> => {
  const staging = ports.disk.stagingPath(project, volume);
  if ((await readNote(staging)) !== noteOf(deployId, from)) {
    throw new TerminalError(`the first content of ${volume} is not on ${ports.node}`, {
      code: "from-missing",
      hint: "deploy again",
    });
  }
  const [staged, live] = [dataPath(staging), dataPath(livePath)];
  if (await exists(staged)) {
    await rmdir(live).catch(ifAbsent);
    await rename(staged, live);
  }
  // On the disk before the note in the store says that it is done.
  for (const directory of [dirname(live), staging]) {
    const opened = await open(directory, "r");
    await opened.sync().finally(() => opened.close());
  }
};

export const dropFirstContent = (
  ports: NodePorts,
  { project, volume }: Pick<FirstContent, "project" | "volume">,
): Promise<void> => rm(ports.disk.stagingPath(project, volume), { recursive: true, force: true });

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const ifAbsent = (error: NodeJS.ErrnoException): void => {
  if (error.code !== "ENOENT") throw error;
};
