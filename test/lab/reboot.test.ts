/** Fault 25 on a real engine: a node loses its power, and starts again only what the record gives it. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectDocker } from "../../adapters/docker-engine.ts";
import type { Lab, LabNode } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { addNote, appFile, openScene, readNotes, type Scene } from "./deploy-scene.ts";

const PORT = 8104;
const signal = AbortSignal.timeout(600_000);
let lab: Lab;
let x: LabNode;
let scene: Scene;

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const [first] = lab.nodes;
  if (first === undefined) throw new Error("the lab has no node");
  x = first;
  const name = `reboot-${randomBytes(3).toString("hex")}`;
  scene = await openScene(lab, { name, store: "directory", queue: "embedded", sweepS: 2 });
});
afterAll(async () => {
  await scene?.close();
  await lab.stop(signal);
});

const runningOnX = async (): Promise<string[]> => {
  const docker = connectDocker({ socketPath: x.dockerSocket });
  const listed = await docker.listContainers({ "bagage.project": scene.project }, signal);
  return listed.filter(({ state }) => state === "running").map(({ name }) => name);
};

const powerCut = async (): Promise<void> => {
  await scene.installation.stop("node-x", "SIGKILL");
  await x.crash(signal);
  await x.boot(signal);
};

test("25: after a reboot Docker starts nothing by itself; the agent does, on local data", async () => {
  const { commit } = await scene.repository.push(
    { Deliverous: appFile({ tag: "2", node: "x", port: PORT }) },
    "One",
  );
  expect((await scene.ended(commit)).result).toBe("deployed");
  const url = `http://${x.address}:${PORT}`;
  await readNotes(url);
  await addNote(url, "before the power cut");
  await powerCut();
  expect(await runningOnX()).toEqual([]);
  await scene.installation.startNode("x");
  expect(await readNotes(url)).toEqual(["before the power cut"]);
  expect((await runningOnX()).length).toBe(1);
});

test("25: a reboot after the volume has moved away starts nothing there", async () => {
  const { commit } = await scene.repository.push(
    { Deliverous: appFile({ tag: "2", node: "y", port: PORT }) },
    "To y",
  );
  expect((await scene.ended(commit)).result).toBe("deployed");
  await powerCut();
  await scene.installation.startNode("x");
  const { commit: back } = await scene.repository.push(
    { Deliverous: appFile({ tag: "2", node: "x", port: PORT }) },
    "And back, on the warm copy",
  );
  expect((await scene.ended(back)).result).toBe("deployed");
  expect(await readNotes(`http://${x.address}:${PORT}`)).toEqual(["before the power cut"]);
});
