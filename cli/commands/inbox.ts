import type { CommandModule } from "yargs";
import { whyNoPath } from "../../adapters/place-file.ts";
import type { BucketObject } from "../../adapters/s3-bucket.ts";
import { readTaken, nameOf as versionOf } from "../../functions/bring-in/taken.ts";
import { requireSpace } from "../../functions/spaces/space.ts";
import { inboxPrefix } from "../../functions/spaces/space-names.ts";
import { TerminalError } from "../../volume/errors.ts";
import { VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { type Context, openContext } from "../context.ts";
import { DEPLOY_OPTIONS } from "../deploy-options.ts";
import { formatBytes, formatTable, formatTime } from "../format.ts";
import { submitDeploy } from "../submit-deploy.ts";

interface Arguments {
  project: string;
  volume: string;
  json: boolean;
}

const project = { type: "string", demandOption: true } as const;
const volume = { type: "string", demandOption: true } as const;

interface Inbox {
  readonly state: ProjectState;
  readonly volume: VolumeName;
  readonly objects: readonly BucketObject[];
}

/** What is not in the volume yet; throws where the volume can have none. */
export const readInbox = async (context: Context, args: Arguments): Promise<Inbox> => {
  const { control, spaces, signal, loadProject } = context;
  const { state, project } = await loadProject(args.project);
  const name = VolumeName.parse(args.volume);
  const held = state.volumes[name];
  if (held === undefined) {
    throw new TerminalError(`project ${project} has no volume ${name}`, {
      code: "unknown-volume",
      hint: `bagage volumes ${project}`,
    });
  }
  const taken = await readTaken(control.store, project, name, held.epoch, signal);
  const had = new Set(taken?.objects.map(versionOf));
  const bucket = spaces.openWith(await requireSpace(spaces, project, signal));
  const objects: BucketObject[] = [];
  try {
    for await (const object of bucket.list(inboxPrefix(name), signal)) {
      // Until a restore point has it, what was taken stays there.
      if (!object.key.endsWith("/") && !had.has(versionOf(object))) objects.push(object);
    }
  } finally {
    bucket.close();
  }
  return { state, volume: name, objects };
};

const nameOf = (name: VolumeName, { key }: BucketObject): string =>
  key.slice(inboxPrefix(name).length);

const listCommand: CommandModule<object, Arguments> = {
  command: "list <project> <volume>",
  describe: "What waits to be taken in, and what can't be",
  builder: (yargs) =>
    yargs
      .positional("project", project)
      .positional("volume", volume)
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const inbox = await readInbox(await openContext(), args);
    const files = inbox.objects.map((object) => {
      const name = nameOf(inbox.volume, object);
      const { bytes, modifiedAtMs } = object;
      return { name, bytes, modifiedAtMs, refused: whyNoPath(name) };
    });
    const rows = files.map(({ name, bytes, modifiedAtMs, refused }) => [
      name,
      formatBytes(bytes),
      formatTime(modifiedAtMs),
      refused ?? "",
    ]);
    const table = formatTable([["FILE", "SIZE", "UPLOADED", "STAYS, FOR"], ...rows]);
    process.stdout.write(`${args.json ? JSON.stringify(files) : table}\n`);
  },
};

const takeCommand: CommandModule<object, Arguments & { detach: boolean }> = {
  command: "take <project> <volume>",
  describe:
    "Take the files in now: what mounts the volume is started anew, by a deploy of what runs",
  builder: (yargs) =>
    yargs.positional("project", project).positional("volume", volume).options(DEPLOY_OPTIONS),
  handler: async (args) => {
    const context = await openContext();
    const { state, volume, objects } = await readInbox(context, args);
    const files = objects.filter((object) => whyNoPath(nameOf(volume, object)) === null);
    if (files.length === 0) {
      process.stdout.write(args.json ? "null\n" : `the inbox of ${volume} is empty\n`);
      return;
    }
    process.exitCode = await takeInboxNow(context, { state, volume, objects: files }, args);
  },
};

/** Tells what will stop for it; returns the command's exit code. */
export const takeInboxNow = async (
  context: Context,
  { state, volume, objects }: Inbox,
  options: { readonly detach: boolean; readonly json: boolean },
): Promise<number> => {
  const { project, commit } = state;
  const mounting = keysOf(state.containers).filter((name) =>
    state.containers[name]?.spec.volumes.some((mount) => mount.name === volume),
  );
  if (commit === null || mounting.length === 0) {
    throw new TerminalError(`nothing of project ${project} runs that mounts ${volume}`, {
      code: "nothing-runs",
      hint: `the next deploy takes the files in: bagage deploy ${project}`,
    });
  }
  const bytes = objects.reduce((sum, object) => sum + object.bytes, 0);
  process.stderr.write(
    `${objects.length} files, ${formatBytes(bytes)}: fetched while ${mounting.join(", ")} runs, which then stops and starts once\n`,
  );
  const wish = { ref: state.settings.ref, commit, force: false, restore: {}, acceptLoss: false };
  return submitDeploy(context, project, { ...wish, take: [volume] }, options);
};

export const inboxCommand: CommandModule = {
  command: "inbox",
  describe: "Files that users put into a volume's inbox: list, take",
  builder: (yargs) =>
    yargs.command(listCommand).command(takeCommand).demandCommand(1, "name what to do: list, take"),
  handler: () => undefined,
};
