/** Which nodes hear of settings that changed without a deploy. */
import { expect, test } from "vitest";
import { DATA, running } from "../../workflows/deploy/given-deploys.ts";
import { mapRecord } from "../../workflows/keys-of.ts";
import { hintOwners } from "./hint-owners.ts";

const signal = new AbortController().signal;

/** A node once went on with a volume as its file had it before, until a deploy or a restart. */
test("a push that only changes on_node_loss is told to the volume's owner", async () => {
  const sent: string[] = [];
  const ports = {
    send: async (queue: string) => {
      sent.push(queue);
    },
  };
  await hintOwners(ports, running, running, signal);
  expect(sent).toEqual([]);
  const volumes = mapRecord(running.volumes, (volume) => ({
    ...volume,
    settings: { ...volume.settings, onNodeLoss: "restore" as const },
  }));
  await hintOwners(ports, running, { ...running, volumes }, signal);
  expect(running.volumes[DATA]?.owner).toBe("x");
  expect(sent).toEqual(["bagage-node-x"]);
});
