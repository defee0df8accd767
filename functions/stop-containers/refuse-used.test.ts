/** Which containers keep a volume from counting as stopped. */
import { expect, test } from "vitest";
import type { MountingContainer } from "../../adapters/docker-engine.ts";
import { ProjectId, VolumeName } from "../../workflows/ids.ts";
import { refuseRunning } from "./refuse-used.ts";

const signal = new AbortController().signal;
const volume = { project: ProjectId.parse("shop"), volume: VolumeName.parse("data") };
const root = "/var/lib/bagage/node";
const container = (name: string, more: Partial<MountingContainer> = {}): MountingContainer => ({
  ...{ id: name, name, state: "running", labels: {}, source: root },
  ...more,
});
const refuse = (...mounting: MountingContainer[]): Promise<void> => {
  const docker = { containersMounting: async () => mounting };
  return refuseRunning({ docker }, volume, [`${root}/shop/data`], signal);
};

test("one that runs or is paused keeps it in use, wherever its mount reaches in; an ended one does not", async () => {
  await expect(refuse(container("backup"))).rejects.toThrow("in use by container backup");
  await expect(refuse(container("old", { state: "paused" }))).rejects.toThrow("container old");
  await refuse(container("done", { state: "exited" }));
});

test("the containers of the agent and its guard are no users", async () => {
  const parts = ["node", "guard"].map((part) =>
    container(part, { labels: { "bagage.part": part } }),
  );
  await refuse(...parts);
  await expect(refuse(...parts, container("app"))).rejects.toThrow("in use by container app");
});
