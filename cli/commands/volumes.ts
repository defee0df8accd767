import type { CommandModule } from "yargs";
import { keysOf } from "../../workflows/keys-of.ts";
import type { VolumeState } from "../../workflows/record.ts";
import type { SnapshotTry } from "../../workflows/snapshots/snapshot-notes.ts";
import { openContext } from "../context.ts";
import { formatBytes, formatTable, formatTime } from "../format.ts";

interface Arguments {
  project: string;
  json: boolean;
}

/** Only where something is to tell. */
const describePublication = (publication: VolumeState["publication"]): string[][] => {
  if (publication == null) return [];
  const { failure, target, snapshotId } = publication;
  if (failure !== null) return [["  not published", formatTime(failure.atMs), "", failure.reason]];
  return [
    target === null ? ["  published", "", "", snapshotId ?? ""] : ["  publishing", "", "", target],
  ];
};

export const volumesCommand: CommandModule<object, Arguments> = {
  command: "volumes <project>",
  describe: "List the project's volumes with owner, epoch and restore points",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { loadProject } = await openContext();
    const { state } = await loadProject(args.project);
    if (args.json) {
      process.stdout.write(`${JSON.stringify(state.volumes)}\n`);
      return;
    }
    const rows = keysOf(state.volumes).flatMap((name) => {
      const volume = state.volumes[name];
      if (volume === undefined) return [];
      const first = [
        name,
        volume.owner ?? "(detached)",
        `epoch ${volume.epoch}`,
        [`${volume.branches.length} branches`, ...describeStandbys(volume)].join(", "),
      ];
      const points = volume.snapshots.map((s) => [
        `  ${s.id}`,
        formatTime(s.takenAtMs),
        formatBytes(s.bytes),
        `${s.files} files, ${s.stopped}${s.id === volume.head?.id ? ", head" : ""}`,
      ]);
      const rest = [...points, ...describeFailure(volume.tries.at(-1))];
      return [first, ...describePublication(volume.publication), ...rest];
    });
    process.stdout.write(`${formatTable([["VOLUME", "OWNER", "EPOCH", ""], ...rows])}\n`);
  },
};

const describeStandbys = ({ standbys }: VolumeState): string[] =>
  standbys.length === 0 ? [] : [`standby ${standbys.join(", ")}`];

/** Why the last snapshot outside a deploy did not come to be; nothing where it did. */
const describeFailure = (last: SnapshotTry | undefined): string[][] =>
  last === undefined || last.failure === null
    ? []
    : [["  no snapshot", formatTime(last.atMs), "", last.failure.message]];
