import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { CommandModule } from "yargs";
import { linuxFileSystem } from "../../adapters/linux.ts";
import { TerminalError } from "../../volume/errors.ts";
import { hydrate } from "../../volume/hydrate/hydrate.ts";
import { openContext } from "../context.ts";
import { formatBytes } from "../format.ts";
import { openLiveProgress } from "../live-progress.ts";
import { findPlace } from "../snapshot-place.ts";

interface Arguments {
  project: string;
  snapshot: string;
  directory: string;
}

export const restoreCommand: CommandModule<object, Arguments> = {
  command: "restore <project> <snapshot> <directory>",
  describe: "Bring a snapshot's files into a new directory of this machine; no volume is touched",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("snapshot", {
        type: "string",
        demandOption: true,
        describe: "VOLUME or VOLUME@SNAPSHOT",
      })
      .positional("directory", { type: "string", demandOption: true, describe: "new or empty" }),
  handler: async (args) => {
    const context = await openContext();
    const place = await findPlace(context, args.project, args.snapshot);
    const directory = resolve(args.directory);
    if (existsSync(directory) && readdirSync(directory).length > 0) {
      throw new TerminalError(`${directory} is not empty, and a restore never merges`, {
        code: "directory-not-empty",
        hint: "name a new directory",
      });
    }
    mkdirSync(dirname(directory), { recursive: true });
    // Beside the target: the index must be on its file system, and goes when the files are there.
    const work = mkdtempSync(join(dirname(directory), ".bagage-restore-"));
    const live = openLiveProgress(place.snapshotId, context.control.nowMs);
    try {
      const { files, bytes, fetchedBytes } = await hydrate(
        {
          ...place,
          directory,
          indexFile: join(work, "index"),
          base: null,
          fileSystem: linuxFileSystem,
          onProgress: ({ bytes: doneBytes, bytesTotal: totalBytes, fetchedBytes }) =>
            live.tell({ doneBytes, totalBytes, transferredBytes: fetchedBytes }),
        },
        context.signal,
      ).finally(live.end);
      process.stdout.write(
        `${place.snapshotId}: ${files} files, ${formatBytes(bytes)} in ${directory} (fetched ${formatBytes(fetchedBytes)})\n`,
      );
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  },
};
