/** Reports of several nodes for one step: each speaks for itself alone. */
import { expect, test } from "vitest";
import { type ContainerName, LeaseSession, VolumeName } from "../ids.ts";
import {
  begin,
  given,
  projectOf,
  reportOf,
  spec,
  start,
  until,
  WEB,
  X,
  Y,
} from "./given-deploys.ts";
import type { Input } from "./messages.ts";

const STORE = "store" as ContainerName;
const [LEFT, RIGHT] = ["left", "right"].map((name) => VolumeName.parse(name)) as [
  VolumeName,
  VolumeName,
];
const asked = begin(start, "first", "a", {
  ...projectOf({ [WEB]: spec("one", X, [LEFT]), [STORE]: spec("one", Y, [RIGHT]) }),
  volumes: { [LEFT]: { onNodeLoss: "restore" }, [RIGHT]: { onNodeLoss: "restore" } },
});
const starting = until(asked, "starting");

const reportedBy = (node: typeof X, session: number): Input => {
  const input = reportOf(starting);
  if (input.type !== "report.received") throw new Error("no report");
  return { ...input, report: { ...input.report, node, lease: LeaseSession.parse(session) } };
};

test("a step that two nodes owe is done when both have reported it", () => {
  expect(starting.deploy?.phase.awaits).toEqual([
    { step: "start-e1", node: X },
    { step: "start-e1", node: Y },
  ]);
  const once = given(starting, reportedBy(X, 1));
  expect(once.deploy?.phase).toMatchObject({
    name: "starting",
    awaits: [{ step: "start-e1", node: Y }],
  });
  expect(given(once, reportedBy(Y, 1))).toMatchObject({
    deploy: null,
    history: [{ result: "deployed" }],
  });
});

test("a node that reports again does not speak for the one that has not", () => {
  const once = given(starting, reportedBy(X, 1));
  expect(given(once, reportedBy(X, 1))).toBe(once);
});

test("whoever starts a volume guards that one, and none that another node owns", () => {
  const once = given(starting, reportedBy(Y, 7));
  expect(once.volumes).toMatchObject({
    [LEFT]: { owner: X, lease: null },
    [RIGHT]: { owner: Y, lease: 7 },
  });
});
