import type { CommandModule } from "yargs";
import { readNode } from "../../functions/drain-node.ts";
import type { WarmResult } from "../../functions/warm-volume/warm-result.ts";
import { TerminalError } from "../../volume/errors.ts";
import { NodeId, VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import { HEARTBEAT_STALE_MS } from "../../workflows/placement/choose-node.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { askWarm } from "../ask-warm.ts";
import { type Context, openContext } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { formatBytes, formatMs } from "../format.ts";
import { openLiveProgress } from "../live-progress.ts";

interface Arguments {
  node: string;
  target: string;
  json: boolean;
}

export const warmCommand: CommandModule<object, Arguments> = {
  command: "warm <node> <target>",
  describe: "Bring volumes' newest snapshots to a node, so that a move there fetches only the rest",
  builder: (yargs) =>
    yargs
      .positional("node", { type: "string", demandOption: true })
      .positional("target", {
        type: "string",
        demandOption: true,
        describe: "PROJECT, for all its volumes, or PROJECT/VOLUME",
      })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const context = await openContext();
    const node = NodeId.parse(args.node);
    const [name = "", ...rest] = args.target.split("/");
    const { state } = await context.loadProject(name);
    await requireAlive(context, node);
    const results: WarmResult[] = [];
    for (const volume of findVolumes(state, node, rest)) {
      const result = await warm(context, state, node, volume);
      if (!args.json) process.stdout.write(`${describe(result)}\n`);
      results.push(result);
    }
    if (args.json) process.stdout.write(`${JSON.stringify(results)}\n`);
    const isWarm = results.every(({ failure }) => failure === null);
    process.exitCode = isWarm ? EXIT.ok : EXIT.failed;
  },
};

/** One that is away would keep the command waiting for ever. */
const requireAlive = async ({ control, signal }: Context, node: NodeId): Promise<void> => {
  const { atMs } = await readNode(control, node, signal);
  const silentMs = control.nowMs() - atMs;
  if (silentMs <= HEARTBEAT_STALE_MS) return;
  throw new TerminalError(`node ${node} is silent for ${formatMs(silentMs)}`, {
    code: "node-silent",
    hint: "see whether its agent runs: bagage nodes",
  });
};

/** Without a name: those that others own and that have anything to bring. */
const findVolumes = (
  { project, volumes }: ProjectState,
  node: NodeId,
  named: readonly string[],
): VolumeName[] => {
  if (named.length > 0) {
    const volume = VolumeName.parse(named.join("/"));
    if (volumes[volume] !== undefined) return [volume];
    throw new TerminalError(`project ${project} has no volume ${volume}`, {
      code: "unknown-volume",
      hint: `bagage volumes ${project}`,
    });
  }
  const found = keysOf(volumes).filter(
    (name) => volumes[name]?.owner !== node && volumes[name]?.head !== null,
  );
  if (found.length > 0) return found;
  throw new TerminalError(`no volume of ${project} has a snapshot and another owner than ${node}`, {
    code: "nothing-to-warm",
    hint: `bagage volumes ${project}`,
  });
};

const warm = async (
  { control, signal }: Context,
  { project }: ProjectState,
  node: NodeId,
  volume: VolumeName,
): Promise<WarmResult> => {
  const live = openLiveProgress(`${volume} to ${node}`, control.nowMs);
  try {
    return await askWarm(control, { node, project, volume }, live.tell, signal);
  } finally {
    live.end();
  }
};

const describe = ({ node, volume, hydrate, failure }: WarmResult): string => {
  if (failure !== null) {
    const remedy = failure.hint === undefined ? "" : ` (${failure.hint})`;
    return `${volume}: not warm on ${node}: ${failure.message}${remedy}`;
  }
  if (hydrate === null) return `${volume}: was warm on ${node}`;
  const { bytes, fetchedBytes, durationMs, snapshotId } = hydrate;
  return `${volume}: warm on ${node}, ${formatBytes(bytes)} of ${snapshotId}, fetched ${formatBytes(fetchedBytes)} in ${formatMs(durationMs)}`;
};
