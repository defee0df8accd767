import type { CommandModule } from "yargs";
import { cloneVolume } from "../../functions/clone-volume.ts";
import { TerminalError } from "../../volume/errors.ts";
import { ProjectId, VolumeName } from "../../workflows/ids.ts";
import { openContext } from "../context.ts";
import { formatBytes, formatTime } from "../format.ts";
import { findPlace } from "../snapshot-place.ts";

interface Arguments {
  source: string;
  target: string;
  json: boolean;
}

export const cloneCommand: CommandModule<object, Arguments> = {
  command: "clone <source> <target>",
  describe: "Begin a new volume as a restore point of another one; nothing is copied in the store",
  builder: (yargs) =>
    yargs
      .positional("source", {
        type: "string",
        demandOption: true,
        describe: "PROJECT/VOLUME or PROJECT/VOLUME@SNAPSHOT",
      })
      .positional("target", { type: "string", demandOption: true, describe: "PROJECT/VOLUME" })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const context = await openContext();
    const from = split(args.source);
    const to = split(args.target);
    const { ref: snapshot } = await findPlace(context, from.project, from.volume);
    const volume = VolumeName.parse(to.volume);
    const project = ProjectId.parse(to.project);
    const request = {
      from: {
        project: ProjectId.parse(from.project),
        volume: VolumeName.parse(from.volume.split("@")[0]),
      },
      snapshot,
      to: { project, volume },
      wrappingKeys: context.config.wrappingKeys,
    };
    const { id } = await cloneVolume(context.control, request, context.signal);
    const size = `${snapshot.files} files, ${formatBytes(snapshot.bytes)}`;
    const text = `${project}/${volume} begins as ${args.source} of ${formatTime(snapshot.takenAtMs)} (${size}); name it in the project file and deploy`;
    const json = JSON.stringify({ project, volume, snapshotId: id, source: request.from });
    process.stdout.write(`${args.json ? json : text}\n`);
  },
};

const split = (text: string): { readonly project: string; readonly volume: string } => {
  const [project = "", volume = "", ...rest] = text.split("/");
  if (project !== "" && volume !== "" && rest.length === 0) return { project, volume };
  throw new TerminalError(`${text} is not PROJECT/VOLUME`, {
    code: "usage",
    hint: "bagage clone shop/db@SNAPSHOT shop-test/db",
  });
};
