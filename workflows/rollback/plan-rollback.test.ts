import { expect, test } from "vitest";
import { begin, commit, DATA, running, two, until } from "../deploy/given-deploys.ts";
import type { ProjectState } from "../record.ts";
import { planRollback } from "./plan-rollback.ts";

const BOTH = { to: null, code: true, data: true };
const second = until(begin(running, "second", "b", two), null);
const sealed = (state: ProjectState) => state.history.at(-1)?.volumes[DATA]?.sealed?.id;

test("goes back to the commit before, and to the data that its version left behind", () => {
  expect(second.commit).toBe(commit("b"));
  expect(planRollback(second, BOTH)).toMatchObject({
    kind: "planned",
    commit: commit("a"),
    target: { commit: commit("a") },
    restore: { [DATA]: { id: sealed(second) } },
  });
});

test("the code alone loses nothing, and the data alone leave what runs", () => {
  expect(planRollback(second, { ...BOTH, data: false })).toMatchObject({
    commit: commit("a"),
    restore: {},
  });
  expect(planRollback(second, { ...BOTH, code: false })).toMatchObject({
    commit: commit("b"),
    restore: { [DATA]: { id: sealed(second) } },
  });
});

test("a deploy that was rolled back by itself is none to go back to", () => {
  const failed = {
    ...second,
    history: second.history.map((entry, i) =>
      i === 0 ? { ...entry, result: "rolled-back" as const } : entry,
    ),
  };
  expect(planRollback(failed, BOTH)).toMatchObject({ kind: "impossible" });
});

test("a named deploy is found by the beginning of its id", () => {
  expect(planRollback(second, { ...BOTH, to: "deploy-f" })).toMatchObject({ kind: "planned" });
  expect(planRollback(second, { ...BOTH, to: "nothing" })).toMatchObject({ kind: "impossible" });
});

test("data that the retention rule has let go of can't be gone back to", () => {
  const volume = second.volumes[DATA];
  if (volume === undefined) throw new Error("there is no volume");
  const forgotten = { ...second, volumes: { [DATA]: { ...volume, snapshots: [] } } };
  expect(planRollback(forgotten, BOTH)).toMatchObject({
    kind: "impossible",
    reason: expect.stringContaining("not retained"),
  });
  expect(planRollback(forgotten, { ...BOTH, data: false })).toMatchObject({ kind: "planned" });
});

test("before the second deploy there is nothing to go back to", () => {
  expect(planRollback(running, BOTH)).toMatchObject({ kind: "impossible" });
});
