/** Which nodes hear of a revision. */
import { expect, test } from "vitest";
import { DATA, running } from "../../workflows/deploy/given-deploys.ts";
import { Revision } from "../../workflows/ids.ts";
import { mapRecord } from "../../workflows/keys-of.ts";
import { hintNodes } from "./hint-nodes.ts";

const signal = new AbortController().signal;
const rev = Revision.parse(7);

/** A node once went on with a volume as its file had it before, until a deploy or a restart. */
test("a push that only changes on_node_loss is told to the volume's owner", async () => {
  const sent: string[] = [];
  const ports = {
    send: async (queue: string) => {
      sent.push(queue);
    },
  };
  await hintNodes(ports, running, { state: running, rev }, signal);
  expect(sent).toEqual([]);
  const volumes = mapRecord(running.volumes, (volume) => ({
    ...volume,
    settings: { ...volume.settings, onNodeLoss: "restore" as const },
  }));
  await hintNodes(ports, running, { state: { ...running, volumes }, rev }, signal);
  expect(running.volumes[DATA]?.owner).toBe("x");
  expect(sent).toEqual(["bagage-node-x"]);
});
