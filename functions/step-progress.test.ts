import pino from "pino";
import { expect, test } from "vitest";
import { createMemoryObjectStore } from "../volume/memory-object-store.ts";
import { DeployId, NodeId, ProjectId, VolumeName } from "../workflows/ids.ts";
import { clearProgress, openStepProgress, readProgress } from "./step-progress.ts";

const project = ProjectId.parse("shop");
const deployId = DeployId.parse("0123456789ab");
const volume = VolumeName.parse("data");
const { signal } = new AbortController();

const openSetting = () => {
  const store = createMemoryObjectStore();
  const clock = { ms: 1_000_000 };
  const ports = {
    store,
    node: NodeId.parse("x"),
    nowMs: () => clock.ms,
    log: pino({ level: "silent" }),
  };
  return { store, clock, ports, step: { project, deployId, step: "copy-1" } };
};
const settled = () => new Promise((resolve) => setImmediate(resolve));
const far = (doneBytes: number, totalBytes: number | null = null) => ({
  doneBytes,
  totalBytes,
  transferredBytes: doneBytes,
});

test("tells from the second second on, once a second, with rate and expected size", async () => {
  const { store, clock, ports, step } = openSetting();
  const report = openStepProgress(ports, step, signal).forVolume(volume, 10_000);
  const seen: number[] = [];
  for (let tick = 0; tick <= 12; tick += 1) {
    report(far(tick * 500));
    await settled();
    const [told] = await readProgress(store, project, deployId, signal);
    if (told !== undefined) seen.push(told.doneBytes);
    clock.ms += 250;
  }
  expect([...new Set(seen)]).toEqual([2_000, 4_000, 6_000]);
  expect(await readProgress(store, project, deployId, signal)).toEqual([
    {
      ...{ deployId, step: "copy-1", node: "x", volume, image: null },
      ...{ doneBytes: 6_000, totalBytes: 10_000, transferredBytes: 6_000 },
      ...{ rateBytesPerS: 2_000, atMs: 1_003_000 },
    },
  ]);
});

test("a step of less than a second, and one that is over, write nothing", async () => {
  const { store, clock, ports, step } = openSetting();
  const progress = openStepProgress(ports, step, signal);
  const report = progress.forImage("nginx");
  clock.ms += 999;
  report(far(1, 2));
  progress.stop();
  clock.ms += 10_000;
  report(far(2, 2));
  await settled();
  expect(await readProgress(store, project, deployId, signal)).toEqual([]);
});

test("a store that fails costs the step nothing", async () => {
  const { store, clock, ports, step } = openSetting();
  const put = () => Promise.reject(new Error("the store is away"));
  const report = openStepProgress({ ...ports, store: { ...store, put } }, step, signal).forVolume(
    volume,
  );
  clock.ms += 1_000;
  expect(() => report(far(1))).not.toThrow();
  await settled();
});

test("the end of a deploy clears what earlier ones left too", async () => {
  const { store, clock, ports, step } = openSetting();
  const other = { ...step, deployId: DeployId.parse("ffffffffffff") };
  for (const each of [step, other]) {
    const report = openStepProgress(ports, each, signal).forVolume(volume);
    clock.ms += 1_000;
    report(far(5, 4));
    await settled();
  }
  expect(await readProgress(store, project, deployId, signal)).toMatchObject([{ totalBytes: 5 }]);
  await clearProgress(store, project, signal);
  expect(await readProgress(store, project, deployId, signal)).toEqual([]);
  expect(await readProgress(store, project, other.deployId, signal)).toEqual([]);
});
