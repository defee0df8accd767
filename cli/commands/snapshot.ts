/** Restore points outside deploys: `snapshot now`, and what one is: `snapshot show`. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { CommandModule } from "yargs";
import { requestSnapshots } from "../../functions/request-snapshot.ts";
import { requireSnapshot } from "../../volume/list-entries.ts";
import { type ProjectId, VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import type { ProjectState } from "../../workflows/record.ts";
import type { SnapshotTry } from "../../workflows/snapshots/snapshot-notes.ts";
import { applyInput } from "../apply-input.ts";
import { type Context, openContext } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { formatBytes, formatTime } from "../format.ts";
import { findPlace } from "../snapshot-place.ts";

const POLL_MS = 250;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

interface NowArguments {
  project: string;
  volumes: string[];
  wait: boolean;
  json: boolean;
}

const nowCommand: CommandModule<object, NowArguments> = {
  command: "now <project> [volumes..]",
  describe: "Take a restore point now, while the containers run; of all volumes, or of those named",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("volumes", { type: "string", array: true, default: [] })
      .option("wait", { type: "boolean", default: false, describe: "until it is taken" })
      .option("json", { type: "boolean", default: false, describe: "print the results as JSON" }),
  handler: async (args) => {
    const context = await openContext();
    const { project } = await context.loadProject(args.project);
    const volumes = args.volumes.map((name) => VolumeName.parse(name));
    const nowMs = context.control.nowMs();
    const id = randomUUID();
    const request = { id, volumes, nowMs };
    const requestId = await requestSnapshots(context.control, project, request, context.signal);
    // Taken up here too, so that a refusal is told to whoever asked.
    await applyInput(context, project, { type: "snapshot.requested", requestId, volumes, nowMs });
    if (!args.wait) return say(args.json ? JSON.stringify({ requestId }) : requestId);
    const answers = await awaitAnswers(context, project, requestId);
    if (args.json) say(JSON.stringify(answers));
    else for (const { volume, ...answer } of answers) say(`${volume}: ${describe(answer)}`);
    const isDone = answers.every(({ snapshotId }) => snapshotId !== null);
    process.exitCode = isDone ? EXIT.ok : EXIT.failed;
  },
};

type Answer = SnapshotTry & { readonly volume: VolumeName };

const describe = ({ snapshotId, failure }: SnapshotTry): string =>
  snapshotId ?? `no snapshot: ${failure?.message ?? "the node gave no reason"}`;

const awaitAnswers = async (
  { control, signal }: Context,
  project: ProjectId,
  requestId: string,
): Promise<Answer[]> => {
  for (;;) {
    const state = (await control.records.load(project, signal))?.state;
    const isOwed = Object.values(state?.volumes ?? {}).some(({ requests }) =>
      requests.some(({ id }) => id === requestId),
    );
    if (state !== undefined && !isOwed) return findAnswers(state, requestId);
    await sleep(POLL_MS, null, { signal });
  }
};

const findAnswers = ({ volumes }: ProjectState, requestId: string): Answer[] =>
  keysOf(volumes).flatMap((volume) =>
    (volumes[volume]?.tries ?? [])
      .filter(({ requestIds }) => requestIds.includes(requestId))
      .map((found) => ({ volume, ...found })),
  );

interface ShowArguments {
  project: string;
  snapshot: string;
  json: boolean;
}

const showCommand: CommandModule<object, ShowArguments> = {
  command: "show <project> <snapshot>",
  describe: "Show what a restore point is, and what it needs in the store",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("snapshot", {
        type: "string",
        demandOption: true,
        describe: "VOLUME or VOLUME@SNAPSHOT; an id may be cut short",
      })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const context = await openContext();
    const { ref, ...place } = await findPlace(context, args.project, args.snapshot);
    const snapshot = await requireSnapshot(place, context.signal);
    const packBytes = snapshot.packs.reduce((sum, [, bytes]) => sum + bytes, 0);
    const { packs, segments, format, parent } = snapshot;
    const store = { packs: packs.length, packBytes, segments: segments.length, format, parent };
    if (args.json) return say(JSON.stringify({ ...ref, ...store }));
    const { id, takenAtMs, kind, stopped, epoch, files, bytes, storedBytes, deployId } = ref;
    const lines = [
      ["snapshot", id],
      ["taken", `${formatTime(takenAtMs)}, ${kind}, container ${stopped}, epoch ${epoch}`],
      ["deploy", deployId ?? "none"],
      ["content", `${files} files, ${formatBytes(bytes)}, digest ${ref.digest}`],
      ["stored", `${formatBytes(storedBytes)} added; parent ${parent ?? "none"}`],
      ["needs", `${packs.length} packs of ${formatBytes(packBytes)}, ${segments.length} segments`],
      ["sealed", format === 3 ? "yes" : "no"],
    ];
    for (const [name = "", value] of lines) say(`${name.padEnd(10)}${value}`);
  },
};

export const snapshotCommand: CommandModule = {
  command: "snapshot",
  describe: "Take a restore point, or look at one",
  builder: (yargs) =>
    yargs.command(nowCommand).command(showCommand).demandCommand(1, "name what to do: now or show"),
  handler: () => undefined,
};
