import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CommandModule } from "yargs";
import { TerminalError } from "../../volume/errors.ts";
import { findEntry } from "../../volume/list-entries.ts";
import { bringFile, bringFiles } from "../bring-files.ts";
import { openContext } from "../context.ts";
import { findPlace } from "../snapshot-place.ts";

interface Arguments {
  project: string;
  snapshot: string;
  path: string;
  target: string;
}

export const cpCommand: CommandModule<object, Arguments> = {
  command: "cp <project> <snapshot> <path> <target>",
  describe: "Copy a file or a folder of a snapshot to this machine, verified; nothing is replaced",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("snapshot", {
        type: "string",
        demandOption: true,
        describe: "VOLUME or VOLUME@SNAPSHOT; an id may be cut short",
      })
      .positional("path", { type: "string", demandOption: true, describe: "in the volume" })
      .positional("target", {
        type: "string",
        demandOption: true,
        describe: "a new file or directory; a file may go into a directory that is there",
      }),
  handler: async (args) => {
    const context = await openContext();
    const { ref: _ref, ...place } = await findPlace(context, args.project, args.snapshot);
    const path = args.path.replace(/^\/+|\/+$/g, "").replace(/^\.$/, "");
    const entry = await findEntry(place, Buffer.from(path), context.signal);
    if (entry?.type !== "file" && entry?.type !== "directory") {
      throw new TerminalError(`${args.path} is no file or folder of ${place.snapshotId}`, {
        code: "unknown-file",
        hint: `bagage ls ${args.project} ${args.snapshot}`,
      });
    }
    const isFolderThere = existsSync(args.target) && statSync(args.target).isDirectory();
    const name = path.slice(path.lastIndexOf("/") + 1);
    const said =
      entry.type === "file"
        ? bringFile(context, place, entry, isFolderThere ? join(args.target, name) : args.target)
        : bringFiles(context, place, args.target, entry.path);
    process.stdout.write(`${await said}\n`);
  },
};
