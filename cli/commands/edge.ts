/** `edge`: one stable address for clients, in front of the nodes. */
import type { CommandModule } from "yargs";
import { connectCaddy } from "../../adapters/caddy-admin.ts";
import { systemClock } from "../../adapters/clock.ts";
import { consumeQueue } from "../../adapters/sqs-consumer.ts";
import type { Connections } from "../../agent/connect.ts";
import { createEdge } from "../../agent/edge/run-edge.ts";
import { type Config, readConfig } from "../../functions/config.ts";
import { edgeQueue } from "../../functions/messages.ts";
import { checkSettingsOnHangUp, untilSignalled, withLocalQueue } from "../context.ts";
import { openConnections } from "../open-connections.ts";
import { VERSION } from "../version.ts";

/** Runs until the signal aborts. Without `tcp` only names are served. */
export const runEdgePart = async (
  { edge: settings }: Config,
  { control, openQueue }: Connections,
  { tcp }: { readonly tcp: boolean },
  signal: AbortSignal,
): Promise<void> => {
  const edge = createEdge(
    {
      edge: settings.id,
      version: VERSION,
      ports: control,
      caddy: connectCaddy(settings.caddyAdmin),
      caddySettings: settings.caddy,
      directory: settings.root,
      bind: tcp ? settings.bind : null,
      sleep: (ms, until) => systemClock.sleep(ms, until),
    },
    signal,
  );
  const queue = await openQueue(edgeQueue(settings.id), signal);
  await edge.begin();
  control.log.info({ edge: settings.id, version: VERSION }, "edge.started");
  const onError = (error: unknown) => control.log.error({ err: error }, "queue.unreachable");
  const { handleBatch } = edge;
  await Promise.all([
    edge.run(),
    consumeQueue({ queue, handleBatch, concurrency: 1, onError }, signal),
  ]);
};

export const edgeCommand: CommandModule = {
  command: "edge",
  describe: "Run an edge: names (through Caddy) and TCP ports that lead to containers on any node",
  handler: async () => {
    const config = withLocalQueue(readConfig(process.env));
    const connections = await openConnections(config, config.edge.root);
    checkSettingsOnHangUp(connections.control.log);
    await runEdgePart(config, connections, { tcp: true }, untilSignalled());
  },
};
