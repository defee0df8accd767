import { expect, test } from "vitest";
import { ContainerSpec } from "../container-spec.ts";
import { NodeId, ProjectId, VolumeName } from "../ids.ts";
import { chooseNode, type PlacementRequest } from "./choose-node.ts";
import { NodeStatus } from "./node-status.ts";

const GIB = 2 ** 30;
const x = NodeId.parse("x");
const status = NodeStatus.parse({
  ...{ node: "x", bootId: "b", version: "1", address: "127.0.0.1", atMs: 0, labels: {}, cpus: 2 },
  ...{ memoryBytes: 4 * GIB, memoryReservedBytes: 3 * GIB, diskFreeBytes: GIB },
  ...{ containerCount: 1, ports: [], warm: [], cordoned: false },
});
const container = (memLimitBytes: number | undefined) =>
  ContainerSpec.parse({
    ...{ image: "a", environment: {}, ports: [], stopGracePeriodMs: 1, labels: {} },
    ...{ constraints: [], volumes: [], memLimitBytes },
  });
const place = (memLimitBytes: number | undefined, freed: PlacementRequest["memoryFreed"]) =>
  chooseNode([status], {
    project: ProjectId.parse("shop"),
    ...{ containers: [container(memLimitBytes)], volumes: [], allowed: [], constraints: [] },
    ...{ target: undefined, portsKept: new Map(), memoryFreed: freed, nowMs: 0 },
  }).kind;

test("memory that others reserve is not there; what the deploy itself frees is", () => {
  expect(place(GIB, new Map())).toBe("placed");
  expect(place(2 * GIB, new Map())).toBe("unplaceable");
  expect(place(2 * GIB, new Map([[x, GIB]]))).toBe("placed");
  expect(place(GIB, new Map([[x, -1]]))).toBe("unplaceable");
  expect(place(undefined, new Map())).toBe("placed");
});

// Of several nodes lost at once the first one's volumes were given to the next dead one.
test("after a loss a node that was just heard of comes before a silent one with a warm copy", () => {
  const project = ProjectId.parse("shop");
  const volume = { name: VolumeName.parse("data"), owner: null, bytes: 1 };
  const warm = [{ project, volume: volume.name, epoch: 1, snapshotId: null, bytes: 1 }];
  const silent = NodeStatus.parse({ ...status, warm });
  const heard = NodeStatus.parse({ ...status, node: "y", atMs: 30_000 });
  const choose = (nodes: readonly NodeStatus[], isAfterLoss: boolean) =>
    chooseNode(nodes, {
      ...{ project, containers: [container(undefined)], volumes: [volume], allowed: [] },
      ...{ constraints: [], target: undefined, portsKept: new Map(), memoryFreed: new Map() },
      ...{ nowMs: 30_000, isAfterLoss },
    });
  expect(choose([silent, heard], true)).toMatchObject({ node: "y" });
  expect(choose([silent, heard], false)).toMatchObject({ node: "x" });
  expect(choose([silent], true)).toMatchObject({ node: "x" });
});
