import { randomUUID } from "node:crypto";
import type { CommandModule } from "yargs";
import { connectDocker } from "../../adapters/docker-engine.ts";
import { CONTROL_QUEUE } from "../../functions/messages.ts";
import type { BagageError } from "../../volume/errors.ts";
import { probeStore } from "../../volume/probe-store.ts";
import { openContext } from "../context.ts";
import { EXIT } from "../exit-codes.ts";

interface Check {
  readonly name: string;
  readonly outcome: string;
  readonly detail: string;
}

export const doctorCommand: CommandModule<object, { json: boolean }> = {
  command: "doctor",
  describe: "Check the store (does it keep its promises?), the queue and the Docker engine",
  builder: (yargs) => yargs.option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { control, config, signal, openQueue } = await openContext();
    const store = await probeStore(
      { store: control.store, prefix: "doctor", probeId: randomUUID() },
      signal,
    );
    const checks: Check[] = [
      ...store.map(({ name, outcome, detail }) => ({ name: `store: ${name}`, outcome, detail })),
      await check("queue: reachable", async () => (await openQueue(CONTROL_QUEUE, signal)).url),
      await check("docker: reachable", async () => {
        const docker = connectDocker({ socketPath: config.node.dockerSocket });
        return (await docker.info(signal)).version;
      }),
    ];
    const text = checks.map(
      (c) => `${c.outcome.padEnd(8)} ${c.name}${c.detail === "" ? "" : `: ${c.detail}`}`,
    );
    process.stdout.write(`${args.json ? JSON.stringify(checks) : text.join("\n")}\n`);
    process.exitCode = checks.some(({ outcome }) => outcome === "failed") ? EXIT.failed : EXIT.ok;
  },
};

const check = async (name: string, work: () => Promise<string>): Promise<Check> => {
  try {
    return { name, outcome: "passed", detail: await work() };
  } catch (error) {
    const { message, hint } = error as Partial<BagageError>;
    return { name, outcome: "failed", detail: [message, hint].filter(Boolean).join("; try: ") };
  }
};
