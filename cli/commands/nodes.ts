import type { CommandModule } from "yargs";
import { readNodes } from "../../functions/advance-deploy/read-nodes.ts";
import { openContext } from "../context.ts";
import { formatBytes, formatMs, formatTable } from "../format.ts";

export const nodesCommand: CommandModule<object, { json: boolean }> = {
  command: "nodes",
  describe: "List the nodes with their last heartbeat, capacity and warm volumes",
  builder: (yargs) => yargs.option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { control, signal } = await openContext();
    const nodes = await readNodes(control, signal);
    if (args.json) {
      process.stdout.write(`${JSON.stringify(nodes)}\n`);
      return;
    }
    const rows = nodes.map((n) => [
      n.cordoned ? `${n.node} (cordoned)` : n.node,
      n.address,
      `${formatMs(control.nowMs() - n.atMs)} ago`,
      `${n.containerCount}`,
      formatBytes(n.diskFreeBytes),
      Object.entries(n.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(","),
    ]);
    process.stdout.write(
      `${formatTable([["NODE", "ADDRESS", "HEARTBEAT", "CONTAINERS", "DISK FREE", "LABELS"], ...rows])}\n`,
    );
  },
};
