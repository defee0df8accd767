/** Looking into restore points: `snapshots`, `ls`, `diff`, `cat` and `verify`. */
import { pipeline } from "node:stream/promises";
import type { CommandModule } from "yargs";
import type { Entry } from "../../volume/entry.ts";
import { TerminalError } from "../../volume/errors.ts";
import { diffSnapshots, findEntry, listEntries } from "../../volume/list-entries.ts";
import { readContent } from "../../volume/read-content.ts";
import { type VerifyProgress, verifySnapshot } from "../../volume/verify.ts";
import { VolumeName } from "../../workflows/ids.ts";
import { openContext } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { formatBytes, formatTable, formatTime } from "../format.ts";
import { openLiveProgress } from "../live-progress.ts";
import { findPlace } from "../snapshot-place.ts";

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

export const snapshotsCommand: CommandModule<
  object,
  { project: string; volume: string; json: boolean }
> = {
  command: "snapshots <project> <volume>",
  describe: "List a volume's restore points",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("volume", { type: "string", demandOption: true })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { loadProject } = await openContext();
    const { state } = await loadProject(args.project);
    const volume = state.volumes[VolumeName.parse(args.volume)];
    const snapshots = volume?.snapshots ?? [];
    if (args.json) return say(JSON.stringify(snapshots));
    const rows = snapshots.map((s) => [
      s.id,
      formatTime(s.takenAtMs),
      `${s.files}`,
      formatBytes(s.bytes),
      formatBytes(s.storedBytes),
      `${s.stopped}${s.id === volume?.head?.id ? ", head" : ""}`,
    ]);
    say(formatTable([["SNAPSHOT", "TAKEN", "FILES", "SIZE", "STORED", ""], ...rows]));
  },
};

const SNAPSHOT = "VOLUME or VOLUME@SNAPSHOT; an id may be cut short";

export const lsCommand: CommandModule<object, { project: string; snapshot: string }> = {
  command: "ls <project> <snapshot>",
  describe: "List the files of a snapshot",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("snapshot", { type: "string", demandOption: true, describe: SNAPSHOT }),
  handler: async (args) => {
    const context = await openContext();
    const place = await findPlace(context, args.project, args.snapshot);
    for await (const entry of listEntries(place, context.signal)) say(describeEntry(entry));
  },
};

const describeEntry = (entry: Entry): string => {
  const size = entry.type === "file" ? String(entry.size) : entry.type;
  const time = formatTime(Number(entry.mtimeNs / 1_000_000n));
  const mode = entry.mode.toString(8).padStart(4, "0");
  const path = entry.path.length === 0 ? "." : entry.path.toString();
  return `${mode} ${`${entry.uid}:${entry.gid}`.padEnd(11)} ${size.padStart(12)} ${time} ${path}`;
};

export const diffCommand: CommandModule<
  object,
  { project: string; before: string; after: string }
> = {
  command: "diff <project> <before> <after>",
  describe: "Show what two snapshots of a volume differ in: + added, - removed, ~ changed",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("before", { type: "string", demandOption: true, describe: SNAPSHOT })
      .positional("after", { type: "string", demandOption: true, describe: SNAPSHOT }),
  handler: async (args) => {
    const context = await openContext();
    const before = await findPlace(context, args.project, args.before);
    const after = await findPlace(context, args.project, args.after);
    for await (const one of diffSnapshots(before, after, context.signal)) {
      const sign = one.before === null ? "+" : one.after === null ? "-" : "~";
      say(`${sign} ${one.path.length === 0 ? "." : one.path.toString()}`);
    }
  },
};

export const catCommand: CommandModule<
  object,
  { project: string; snapshot: string; path: string }
> = {
  command: "cat <project> <snapshot> <path>",
  describe: "Print one file of a snapshot, verified",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("snapshot", { type: "string", demandOption: true, describe: SNAPSHOT })
      .positional("path", { type: "string", demandOption: true }),
  handler: async (args) => {
    const context = await openContext();
    const place = await findPlace(context, args.project, args.snapshot);
    const entry = await findEntry(place, Buffer.from(args.path), context.signal);
    if (entry?.type !== "file") {
      throw new TerminalError(`${args.path} is no file of ${place.snapshotId}`, {
        code: "unknown-file",
        hint: `bagage ls ${args.project} ${args.snapshot}`,
      });
    }
    await pipeline(readContent(place, entry, context.signal), process.stdout, { end: false });
  },
};

interface VerifyArguments {
  project: string;
  snapshot: string;
  readData: boolean;
  json: boolean;
}

export const verifyCommand: CommandModule<object, VerifyArguments> = {
  command: "verify <project> <snapshot>",
  describe: "Check a snapshot against the store; names the files hit by any damage",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("snapshot", { type: "string", demandOption: true, describe: SNAPSHOT })
      .option("readData", { type: "boolean", default: false, describe: "read every byte" })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const context = await openContext();
    const place = await findPlace(context, args.project, args.snapshot);
    const live = openLiveProgress(place.snapshotId, context.control.nowMs);
    const onProgress = ({ checkedBytes }: VerifyProgress) =>
      live.tell({ doneBytes: checkedBytes, totalBytes: null, transferredBytes: checkedBytes });
    const options = { ...place, readData: args.readData, onProgress };
    const report = await verifySnapshot(options, context.signal).finally(live.end);
    if (args.json) say(JSON.stringify(report));
    else {
      for (const { object, problem, paths, pathCount } of report.problems) {
        say(
          `${object}: ${problem}; ${pathCount} files hit${paths.map((path) => `\n  ${path}`).join("")}`,
        );
      }
      const checked = `${report.objects} objects, ${formatBytes(report.checkedBytes)} read`;
      say(`${report.snapshotId}: ${report.isWhole ? "whole" : "damaged"} (${checked})`);
    }
    process.exitCode = report.isWhole ? EXIT.ok : EXIT.failed;
  },
};
