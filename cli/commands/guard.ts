/** `guard`: what stops a node's containers when its agent can't, as a service of its own. */
import type { CommandModule } from "yargs";
import { createLogger } from "../../adapters/log.ts";
import { openGuardPorts, serveGuard } from "../../agent/guard-process.ts";
import { readConfig } from "../../functions/config.ts";
import { untilSignalled } from "../context.ts";

export const guardCommand: CommandModule = {
  command: "guard",
  describe: "Watch over a node whose agent starts no guard itself (BAGAGE_NODE_GUARD=service)",
  handler: async () => {
    const { node, logLevel } = readConfig(process.env);
    const log = createLogger({ level: logLevel, name: "bagage" });
    const ports = openGuardPorts(node.root, (event, data) => log.warn(data, event));
    await serveGuard(ports, untilSignalled());
  },
};
