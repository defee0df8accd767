/** Going back to an older snapshot by a deploy. */
import { expect, test } from "vitest";
import { SnapshotId } from "../ids.ts";
import {
  begin,
  DATA,
  given,
  projectOf,
  request,
  resolved,
  running,
  spec,
  start,
  until,
  WEB,
  X,
} from "./given-deploys.ts";

test("a restore starts from the older snapshot, which becomes the head, and needs acceptLoss", () => {
  const second = until(begin(running, "second", "b", projectOf({ [WEB]: spec("two", X) })), null);
  const third = until(begin(second, "third", "c", projectOf({ [WEB]: spec("three", X) })), null);
  const older = third.volumes[DATA]?.snapshots[0]?.id ?? SnapshotId.parse("no-snapshot");
  const ask = (acceptLoss: boolean) =>
    given(
      third,
      request("back", { restore: { [DATA]: older }, acceptLoss, force: true }),
      resolved("back", "c", projectOf({ [WEB]: spec("three", X) })),
    );
  expect(ask(false).history.at(-1)?.reason).toContain("--accept-loss");
  const restored = until(ask(true), null);
  expect(restored.volumes[DATA]).toMatchObject({
    origin: { snapshotId: older },
    head: { id: older },
  });
});

test("what a restore goes back to stays, however few restore points are to be kept", () => {
  const keep = { last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0 };
  const sparing = (image: string) => ({
    ...projectOf({ [WEB]: spec(image, X) }),
    volumes: { [DATA]: { onNodeLoss: "wait" as const, keep } },
  });
  const first = until(begin(start, "first", "a", sparing("one")), null);
  const second = until(begin(first, "second", "b", sparing("two")), null);
  const volume = second.volumes[DATA];
  const [only, ...others] = volume?.snapshots ?? [];
  if (volume === undefined || only === undefined) throw new Error("there is no restore point");
  expect(others).toEqual([]);
  const aged = { ...volume, snapshots: [{ ...only, takenAtMs: 1 }] };
  const back = request("back", { restore: { [DATA]: only.id }, acceptLoss: true, force: true });
  const restored = until(
    given({ ...second, volumes: { [DATA]: aged } }, back, resolved("back", "b", sparing("two"))),
    null,
  );
  expect(restored.volumes[DATA]?.head?.id).toBe(only.id);
});
