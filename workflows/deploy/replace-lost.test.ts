/** What a lost node ran is brought back, however often it takes. */
import { expect, test } from "vitest";
import { DeployId, LeaseSession } from "../ids.ts";
import type { ProjectState } from "../record.ts";
import { duties } from "./duties.ts";
import {
  begin,
  DATA,
  FAILURE,
  given,
  NOW,
  projectOf,
  reportOf,
  running,
  spec,
  status,
  until,
  WEB,
  X,
  Y,
} from "./given-deploys.ts";
import type { Input } from "./messages.ts";

const anywhere = (image: string) => projectOf({ [WEB]: { ...spec(image, X), constraints: [] } });
const serving = until(begin(running, "second", "b", anywhere("two")), null);
const replacement = (id: string, nowMs: number, nodes = [Y]) => ({
  requestId: id,
  deployId: DeployId.parse(`deploy-${id}`),
  nodes: nodes.map((node) => ({ ...status(node), atMs: nowMs })),
});
const lost = (nodes = [Y]): Input => ({
  type: "node.lost",
  node: X,
  nowMs: NOW,
  replacement: replacement("first-try", NOW, nodes),
});
const due = (id: string, nowMs: number, nodes = [Y]): Input => ({
  type: "replacement.due",
  nowMs,
  replacement: replacement(id, nowMs, nodes),
});
/** The running deploy, whose new version does not start. */
const failed = (state: ProjectState): ProjectState => {
  const starting = until(state, "starting");
  return until(given(starting, reportOf(starting, FAILURE)), null);
};
const owed = (state: ProjectState) => duties(state).find(({ kind }) => kind === "replace");

// Nothing ran until somebody pushed again.
test("a replacement that fails is tried again, each time after twice as long", () => {
  let state = failed(given(serving, lost()));
  expect(state).toMatchObject({ deploy: null, containers: {} });
  const waits: number[] = [];
  for (let n = 0; n < 8; n += 1) {
    const { dueAtMs = 0 } = state.owedReplacement ?? {};
    expect(owed(state)).toBeDefined();
    expect(given(state, due(`early-${n}`, dueAtMs - 1))).toBe(state);
    const again = given(state, due(`try-${n}`, dueAtMs));
    expect(again.deploy).toMatchObject({ id: `deploy-try-${n}`, request: { trigger: "failover" } });
    expect(owed(again)).toBeUndefined();
    waits.push((again.owedReplacement?.dueAtMs ?? 0) - dueAtMs);
    state = failed(again);
  }
  expect(waits.slice(0, 3)).toEqual([30_000, 60_000, 120_000]);
  expect(waits.at(-1)).toBe(600_000);
});

test("once it is deployed nothing is owed any more, and what it runs is what ran before", () => {
  const state = until(given(failed(given(serving, lost())), due("again", NOW + 60_000)), null);
  expect(state.containers[WEB]).toMatchObject({ node: Y, spec: { image: "two" } });
  expect(state.owedReplacement).toBeNull();
});

test("a push that is deployed meanwhile takes its place; one that fails does not", () => {
  const waiting = failed(given(serving, lost()));
  const pushed = projectOf({ [WEB]: spec("three", Y) });
  const good = until(begin(waiting, "third", "c", pushed), null);
  expect(good.containers[WEB]).toMatchObject({ spec: { image: "three" } });
  expect(owed(good)).toBeUndefined();
  const sick = failed(begin(waiting, "third", "c", pushed));
  const back = until(given(sick, due("again", NOW + 60_000)), null);
  expect(back.containers[WEB]).toMatchObject({ spec: { image: "two" } });
});

test("while no node fits it stays owed, and a node that was lost and is back fits again", () => {
  const waiting = given(serving, lost([]));
  expect(waiting).toMatchObject({ deploy: null, containers: {} });
  expect(given(waiting, due("again", NOW + 1, []))).toBe(waiting);
  const back = until(given(waiting, due("again", NOW + 1, [X])), null);
  expect(back.containers[WEB]).toMatchObject({ node: X });
  expect(back.volumes[DATA]).toMatchObject({ owner: X });
});

test("a deploy that handed sealed data on and failed without its old node is followed by one", () => {
  const sealed = until(
    begin(serving, "third", "c", projectOf({ [WEB]: spec("three", Y) })),
    "sealed",
  );
  const without = given(sealed, lost());
  expect(owed(without)).toBeUndefined();
  expect(until(without, null).owedReplacement).toBeNull();
  const back = until(given(failed(without), due("again", NOW + 1)), null);
  expect(back.containers[WEB]).toMatchObject({ node: Y, spec: { image: "two" } });
});

test("whoever cancels a replacement gets no further one", () => {
  const replacing = given(serving, lost());
  const id = replacing.deploy?.id ?? DeployId.parse("no-deploy");
  const cancelled = given(replacing, { type: "deploy.cancelled", deployId: id, nowMs: NOW });
  expect(cancelled).toMatchObject({ deploy: null, owedReplacement: null });
});

test("a replacement that is due by a clock that was wrong is not waited for a day", () => {
  const waiting = failed(given(serving, lost()));
  const { dueAtMs = 0 } = waiting.owedReplacement ?? {};
  const now = dueAtMs - 86_400_000;
  expect(given(waiting, due("again", now)).deploy).toMatchObject({ id: "deploy-again" });
});

test("the end of a lease owes what it takes away", () => {
  const project = { ...anywhere("two"), volumes: { [DATA]: { onNodeLoss: "restore" as const } } };
  const guarded = until(begin(running, "second", "b", project), null);
  const session = LeaseSession.parse(1);
  const held = given(guarded, { type: "lease.held", node: X, session, volumes: [DATA] });
  const over = { type: "lease.expired" as const, node: X, session, nowMs: NOW };
  const moving = given(held, { ...over, replacement: replacement("failover", NOW) });
  expect(moving.deploy).toMatchObject({ id: "deploy-failover" });
  expect(owed(failed(moving))).toBeDefined();
});
