/** Installations that share a broker keep their queues apart by a prefix. */
import { expect, test } from "vitest";
import { NodeId } from "../workflows/ids.ts";
import { readConfig } from "./config.ts";
import { CONTROL_QUEUE, edgeQueue, nameQueues, nodeQueue, PUBLISH_QUEUE } from "./messages.ts";

const node = NodeId.parse("x.example");
const OWN = [CONTROL_QUEUE, PUBLISH_QUEUE, nodeQueue(node), edgeQueue(node)];

test("by default queues are named as they are documented", () => {
  const name = nameQueues(readConfig({}).sqs.queuePrefix);
  expect(OWN.map(name)).toEqual([
    "bagage-control",
    "bagage-publish",
    "bagage-node-x_example",
    "bagage-edge-x_example",
  ]);
});

test("a prefix names all queues of an installation, and none of its subscribers'", () => {
  const name = nameQueues(readConfig({ BAGAGE_QUEUE_PREFIX: "bagage-staging-" }).sqs.queuePrefix);
  expect(OWN.map(name)).toEqual([
    "bagage-staging-control",
    "bagage-staging-publish",
    "bagage-staging-node-x_example",
    "bagage-staging-edge-x_example",
  ]);
  expect(name("bagage-events-shop")).toBe("bagage-events-shop");
  expect(() => readConfig({ BAGAGE_QUEUE_PREFIX: "Über" })).toThrow("BAGAGE_QUEUE_PREFIX");
});
