/** The rounds of a deploy's pre-copy on the node that has the data, as the record has them then. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { testRoot } from "../../test/trees/test-settings.ts";
import { begin, DATA, two, WEB } from "../../workflows/deploy/given-deploys.ts";
import { createSnapshotVolume } from "./snapshot-volume.ts";
import {
  openSnapshotWorld,
  project,
  type SnapshotWorld,
  withSettings,
} from "./snapshot-world.fixture.ts";

const { signal } = new AbortController();
const beforeCopy = { beforeCopy: ["checkpoint"], beforeCopyIn: WEB };

let world: SnapshotWorld;
beforeEach(() => {
  world = openSnapshotWorld(testRoot());
});
afterEach(() => world.close());

/** The first round of a deploy that takes the volume elsewhere. */
const copyRound = async () => {
  const { control, node } = world;
  const loaded = await world.load();
  const copying = begin(loaded.state, "second", "b", two);
  await control.records.save(project, loaded, copying, signal);
  const deployId = copying.deploy?.id ?? ("" as never);
  const step = { type: "volume.snapshot", version: 1, project, deployId, step: "copy-1" } as const;
  await createSnapshotVolume(node)(step, signal);
  await world.advance();
  return (await world.load()).state.deploy?.volumes[DATA]?.copies ?? [];
};

test("before_copy is run before a deploy's copy, which has what it flushed", async () => {
  const hook = { command: [], exitCode: 0, after: () => world.write("flushed") };
  world.at.hook = hook;
  await world.open(withSettings(beforeCopy));
  world.write("one");
  const [copy] = await copyRound();
  expect(hook.command).toEqual(["checkpoint"]);
  expect(copy).toMatchObject({ round: 1, changedBytes: "flushed".length });
  expect(copy).not.toHaveProperty("hookFailure");
});

test("a failing before_copy is told in the round, which is made without it", async () => {
  world.at.hook = { command: [], exitCode: 7 };
  await world.open(withSettings(beforeCopy));
  world.write("one");
  expect(await copyRound()).toMatchObject([
    {
      ...{ round: 1, changedBytes: "one".length },
      hookFailure: expect.stringMatching(/^before_copy: exit code 7 in container web: no database/),
    },
  ]);
});
