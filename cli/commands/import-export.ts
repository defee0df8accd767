import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import { openS3Bucket, type S3Bucket } from "../../adapters/s3-bucket.ts";
import { copyObjects } from "../../functions/spaces/copy-objects.ts";
import { exportSnapshot } from "../../functions/spaces/export-snapshot.ts";
import { requireSpace, type Space, spaceCredentials } from "../../functions/spaces/space.ts";
import { inboxPrefix } from "../../functions/spaces/space-names.ts";
import { measureDirectory, uploadDirectory } from "../../functions/spaces/upload-directory.ts";
import { TerminalError } from "../../volume/errors.ts";
import { VolumeName } from "../../workflows/ids.ts";
import { bringFiles } from "../bring-files.ts";
import { type Context, openContext } from "../context.ts";
import { formatBytes } from "../format.ts";
import { openLiveProgress } from "../live-progress.ts";
import { findPlace } from "../snapshot-place.ts";
import { readInbox, takeInboxNow } from "./inbox.ts";

interface ImportArguments {
  project: string;
  volume: string;
  source: string;
  take: boolean;
  json: boolean;
}

export const importCommand: CommandModule<object, ImportArguments> = {
  command: "import <project> <volume> <source>",
  describe: "Bring files into a volume's inbox; the next deploy takes them in",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("volume", { type: "string", demandOption: true })
      .positional("source", {
        type: "string",
        demandOption: true,
        describe: "a directory of this machine, or s3://bucket/prefix",
      })
      .option("take", {
        type: "boolean",
        default: false,
        describe: "take them in at once: what mounts the volume is started anew",
      })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const context = await openContext();
    const { spaces, signal } = context;
    const { project, state } = await context.loadProject(args.project);
    const volume = VolumeName.parse(args.volume);
    const space = await requireSpace(spaces, project, signal);
    const bucket = spaces.openWith(space);
    const done = await fill(context, { bucket, space, volume, source: args.source }).finally(
      bucket.close,
    );
    const skipped = done.skipped === 0 ? "" : `, ${done.skipped} links and other things left out`;
    const now =
      state.volumes[volume] === undefined
        ? `${project} has no volume ${volume} yet: the deploy that brings one takes them in`
        : `take them in now: bagage inbox take ${project} ${volume}`;
    const next = args.take ? "" : `${now}\n`;
    process.stdout.write(
      args.json
        ? `${JSON.stringify(done)}\n`
        : `${done.files} files, ${formatBytes(done.bytes)} in the inbox of ${volume}${skipped}\n${next}`,
    );
    if (!args.take) return;
    const inbox = await readInbox(context, args);
    process.exitCode = await takeInboxNow(context, inbox, { detach: false, json: args.json });
  },
};

interface Filling {
  readonly bucket: S3Bucket;
  readonly space: Space;
  readonly volume: VolumeName;
  readonly source: string;
}

const fill = async (
  { control, signal }: Context,
  { bucket, space, volume, source }: Filling,
): Promise<{ readonly files: number; readonly bytes: number; readonly skipped: number }> => {
  const prefix = inboxPrefix(volume);
  const live = openLiveProgress(volume, control.nowMs);
  const tell =
    (totalBytes: number | null) =>
    ({ bytes }: { readonly bytes: number }) =>
      live.tell({ doneBytes: bytes, totalBytes, transferredBytes: bytes });
  const place = parsePlace(source);
  if (place !== null) {
    const from = openPlace(space, place);
    const request = { from, fromPrefix: place.prefix, to: bucket, toPrefix: prefix };
    const copied = copyObjects({ ...request, onProgress: tell(null) }, signal);
    return copied.finally(() => {
      from.close();
      live.end();
    });
  }
  const directory = resolve(source);
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new TerminalError(`${directory} is no directory`, {
      code: "usage",
      hint: "name a directory of this machine, or s3://bucket/prefix",
    });
  }
  const { bytes: total } = await measureDirectory(directory);
  const request = { directory, bucket, prefix, onProgress: tell(total) };
  return uploadDirectory(request, signal).finally(live.end);
};

interface Place {
  readonly bucket: string;
  /** Empty, or ending in `/`. */
  readonly prefix: string;
}

const PLACE = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;

/** Null: it names none, but a directory. */
const parsePlace = (text: string): Place | null => {
  if (!text.startsWith("s3://")) return null;
  const [, bucket, path = ""] = PLACE.exec(text) ?? [];
  if (bucket === undefined) {
    throw new TerminalError(`${text} is no s3://bucket/prefix`, { code: "usage" });
  }
  return { bucket, prefix: path === "" || path.endsWith("/") ? path : `${path}/` };
};

/** With the project's own key: it reaches what the project reaches. */
const openPlace = (space: Space, { bucket }: Place): S3Bucket =>
  openS3Bucket({ ...space, ...spaceCredentials(space), bucket });

interface ExportArguments {
  project: string;
  snapshot: string;
  destination: string;
  json: boolean;
}

export const exportCommand: CommandModule<object, ExportArguments> = {
  command: "export <project> <snapshot> <destination>",
  describe:
    "Write a snapshot's files as objects below s3://bucket/prefix, with the project's key, or into a new directory",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("snapshot", {
        type: "string",
        demandOption: true,
        describe: "VOLUME or VOLUME@SNAPSHOT",
      })
      .positional("destination", { type: "string", demandOption: true })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const context = await openContext();
    const { spaces, control, signal } = context;
    const destination = parsePlace(args.destination);
    const place = await findPlace(context, args.project, args.snapshot);
    if (destination === null) {
      const text = await bringFiles(context, place, args.destination);
      const { files, bytes } = place.ref;
      process.stdout.write(
        args.json ? `${JSON.stringify({ files, bytes, leftOut: [] })}\n` : `${text}\n`,
      );
      return;
    }
    const { project } = await context.loadProject(args.project);
    const bucket = openPlace(await requireSpace(spaces, project, signal), destination);
    const live = openLiveProgress(place.snapshotId, control.nowMs);
    const { bytes: totalBytes } = place.ref;
    const onProgress = ({ bytes }: { readonly bytes: number }) =>
      live.tell({ doneBytes: bytes, totalBytes, transferredBytes: bytes });
    const request = { place, bucket, prefix: destination.prefix, onProgress };
    const done = await exportSnapshot(request, signal).finally(live.end);
    bucket.close();
    const text = `${place.snapshotId}: ${done.files} objects, ${formatBytes(done.bytes)} in ${args.destination}`;
    const left = done.leftOut.map(({ name, reason }) => `  left out: ${name}: ${reason}`);
    process.stdout.write(
      args.json ? `${JSON.stringify(done)}\n` : `${[text, ...left].join("\n")}\n`,
    );
  },
};
