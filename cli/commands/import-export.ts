import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import { openS3Bucket } from "../../adapters/s3-bucket.ts";
import { exportSnapshot } from "../../functions/spaces/export-snapshot.ts";
import { requireSpace, spaceCredentials } from "../../functions/spaces/space.ts";
import { inboxPrefix } from "../../functions/spaces/space-names.ts";
import { uploadDirectory } from "../../functions/spaces/upload-directory.ts";
import { TerminalError } from "../../volume/errors.ts";
import { VolumeName } from "../../workflows/ids.ts";
import { openContext } from "../context.ts";
import { formatBytes } from "../format.ts";
import { openLiveProgress } from "../live-progress.ts";
import { findPlace } from "../snapshot-place.ts";

interface ImportArguments {
  project: string;
  volume: string;
  directory: string;
  json: boolean;
}

export const importCommand: CommandModule<object, ImportArguments> = {
  command: "import <project> <volume> <directory>",
  describe: "Bring a directory's files into a volume's inbox; the next deploy takes them in",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("volume", { type: "string", demandOption: true })
      .positional("directory", { type: "string", demandOption: true, describe: "of this machine" })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { spaces, control, signal, loadProject } = await openContext();
    const { project } = await loadProject(args.project);
    const volume = VolumeName.parse(args.volume);
    const directory = resolve(args.directory);
    if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new TerminalError(`${directory} is no directory`, { code: "usage" });
    }
    const bucket = spaces.openWith(await requireSpace(spaces, project, signal));
    const live = openLiveProgress(volume, control.nowMs);
    const tell = ({ bytes }: { readonly bytes: number }) =>
      live.tell({ doneBytes: bytes, totalBytes: null, transferredBytes: bytes });
    const request = { directory, bucket, prefix: inboxPrefix(volume), onProgress: tell };
    const done = await uploadDirectory(request, signal).finally(live.end);
    bucket.close();
    const skipped = done.skipped === 0 ? "" : `, ${done.skipped} links and other things left out`;
    process.stdout.write(
      args.json
        ? `${JSON.stringify(done)}\n`
        : `${done.files} files, ${formatBytes(done.bytes)} in the inbox of ${volume}${skipped}\ntake them in now: bagage deploy ${project} --force\n`,
    );
  },
};

interface ExportArguments {
  project: string;
  snapshot: string;
  destination: string;
  json: boolean;
}

const DESTINATION = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/;

export const exportCommand: CommandModule<object, ExportArguments> = {
  command: "export <project> <snapshot> <destination>",
  describe: "Write a snapshot's files as objects, s3://bucket/prefix, with the project's key",
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
    const [, bucketName, path = ""] = DESTINATION.exec(args.destination) ?? [];
    if (bucketName === undefined) {
      throw new TerminalError(`${args.destination} is no s3://bucket/prefix`, {
        code: "usage",
        hint: "for a directory: bagage restore PROJECT VOLUME DIRECTORY",
      });
    }
    const place = await findPlace(context, args.project, args.snapshot);
    const { project } = await context.loadProject(args.project);
    const space = await requireSpace(spaces, project, signal);
    const bucket = openS3Bucket({ ...space, ...spaceCredentials(space), bucket: bucketName });
    const prefix = path === "" || path.endsWith("/") ? path : `${path}/`;
    const live = openLiveProgress(place.snapshotId, control.nowMs);
    const { bytes: totalBytes } = place.ref;
    const onProgress = ({ bytes }: { readonly bytes: number }) =>
      live.tell({ doneBytes: bytes, totalBytes, transferredBytes: bytes });
    const request = { place, bucket, prefix, onProgress };
    const done = await exportSnapshot(request, signal).finally(live.end);
    bucket.close();
    const text = `${place.snapshotId}: ${done.files} objects, ${formatBytes(done.bytes)} in ${args.destination}`;
    const left = done.leftOut.map(({ name, reason }) => `  left out: ${name}: ${reason}`);
    process.stdout.write(
      args.json ? `${JSON.stringify(done)}\n` : `${[text, ...left].join("\n")}\n`,
    );
  },
};
