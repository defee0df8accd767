/** What is told of a project's revisions, over revisions that the rules made. */
import { expect, test } from "vitest";
import {
  begin,
  DATA,
  FAILURE,
  given,
  NOW,
  reportOf,
  request,
  running,
  start,
  two,
  until,
} from "../deploy/given-deploys.ts";
import type { ProjectState } from "../record.ts";
import { eventsBetween } from "./events-between.ts";
import { ProjectEvent } from "./project-event.ts";

/** Every event from the first state to the last, each held against its schema. */
const tell = (...states: ProjectState[]): ProjectEvent[] =>
  states
    .flatMap((state, index) => eventsBetween(states[index - 1] ?? null, state))
    .map((event) => ProjectEvent.parse(event));
const inWords = (events: readonly ProjectEvent[]): string[] =>
  events.map((event) => {
    switch (event.type) {
      case "deploy.phase.entered":
        return `phase ${event.phase}`;
      case "deploy.step.done":
        return `${event.step} of ${event.node}`;
      case "deploy.ended":
        return `ended ${event.result}`;
      case "volume.moved":
        return `${event.volume}: ${event.from} → ${event.to}`;
      default:
        return event.type;
    }
  });
/** Each state on the way of a deploy from x to y, one report at a time. */
const move = (failAt: string | null = null): ProjectState[] => {
  const states = [running, begin(running, "second", "b", two)];
  for (let state = states.at(-1); state?.deploy; state = states.at(-1)) {
    const owed = state.deploy.phase.awaits[0]?.step ?? "";
    const isSick = failAt !== null && owed.startsWith(failAt);
    states.push(given(state, reportOf(state, isSick ? FAILURE : null)));
  }
  return states;
};

test("a deploy is told from its start over every step and phase to its end", () => {
  expect(inWords(tell(...move()).slice(1))).toEqual([
    "deploy.requested",
    "deploy.started",
    "phase copying 1",
    "copy-1 of x",
    "prepare-1 of y",
    "phase copying 2",
    "copy-2 of x",
    "prepare-2 of y",
    "phase draining",
    "seal-e2 of x",
    "phase sealed",
    "snapshot.taken",
    "hydrate-e2 of y",
    "phase starting",
    "data: x → y",
    "start-e2 of y",
    "ended deployed",
  ]);
});

test("several steps in one revision tell the same as one by one", () => {
  const states = move();
  const ends = [states[0], states.at(-1)].filter((state) => state !== undefined);
  const phases = (events: readonly ProjectEvent[]) =>
    inWords(events).filter((word) => /^(?:phase|ended)/.test(word));
  expect(phases(tell(...ends))).toEqual(phases(tell(...states)));
});

test("a version that does not start is told as it goes back, without what it left undone", () => {
  const words = inWords(tell(...move("start")));
  expect(words).not.toContain("start-e2 of y");
  expect(words).toContain("phase unstarting");
  expect(words.at(-1)).toBe("ended rolled-back");
  expect(words.filter((word) => word.startsWith("data:"))).toEqual(["data: x → y", "data: y → x"]);
});

test("a request is told, and its end when another takes its place", () => {
  const first = given(running, request("second"));
  const told = tell(running, first, given(first, request("third"))).slice(1);
  expect(inWords(told)).toEqual(["deploy.requested", "deploy.requested", "ended superseded"]);
});

test("a project is told when it is added and when it is configured; nothing else is", () => {
  const settings = { ...start.settings, ref: "refs/heads/other" };
  expect(inWords(tell(start, { ...start, settings }, { ...start, settings }))).toEqual([
    "project.added",
    "project.configured",
  ]);
});

test("a kept branch and a return to an earlier restore point are told", () => {
  const volume = running.volumes[DATA];
  if (volume === undefined) throw new Error("no volume");
  const branch = { node: "x", epoch: 9, keptAtMs: NOW, bytes: 5, reason: "r" } as never;
  const sealed = until(begin(running, "second", "b", two), null);
  const [older] = sealed.volumes[DATA]?.snapshots ?? [];
  const withVolume = (state: ProjectState, more: object): ProjectState => ({
    ...state,
    volumes: { [DATA]: { ...state.volumes[DATA], ...more } } as never,
  });
  expect(tell(running, withVolume(running, { branches: [branch] })).slice(1)).toMatchObject([
    { type: "volume.branch.kept", node: "x", epoch: 9, bytes: 5 },
  ]);
  const newer = { ...older, id: "later" };
  const both = withVolume(sealed, { snapshots: [older, newer], head: newer });
  expect(tell(both, withVolume(both, { head: older })).slice(1)).toMatchObject([
    { type: "volume.restored", snapshotId: older?.id },
  ]);
});
