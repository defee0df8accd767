/** Several containers, shared volumes, volumes that leave the file and come back: on real engines. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { VolumeName } from "../../workflows/ids.ts";
import { openScene, type Scene } from "./deploy-scene.ts";

const signal = AbortSignal.timeout(600_000);
const SHARED = VolumeName.parse("shared");
let lab: Lab;
let scene: Scene;

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const name = `shared-${randomBytes(3).toString("hex")}`;
  scene = await openScene(lab, { name, store: "directory", queue: "embedded" });
});
afterAll(async () => {
  await scene?.close();
  await lab.stop(signal);
});

const container = (name: string, word: string, node: string, mount: string) => `${name}:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; ${mount === "" ? "" : `echo ${word} >> ${mount}/log; `}while :; do sleep 0.1 & wait $$!; done"]
    deploy:
      placement:
        constraints: ["node.id == ${node}"]
${mount === "" ? "" : `    volumes:\n    - name: shared\n      path: ${mount}\n`}`;

const deploy = async (file: string, message: string) => {
  const { commit } = await scene.repository.push({ Deliverous: file }, message);
  expect(await scene.ended(commit)).toMatchObject({ result: "deployed" });
  return scene.state();
};

/** The log as it lies on the node's disk. */
const readLog = (node: string, epoch: number) => {
  const directory = lab.nodes.find(({ name }) => name === node)?.directory ?? "";
  const live = join(directory, scene.project, "volumes", scene.project, SHARED, `live-e${epoch}`);
  return readFileSync(join(live, "data", "log"), "utf8")
    .trim()
    .split("\n")
    .sort();
};

test("containers that share a volume move together; one that shares nothing is left running", async () => {
  const before = await deploy(
    container("web", "web-1", "x", "/var/lib/data") +
      container("worker", "worker-1", "x", "/srv") +
      container("loner", "", "x", ""),
    "Three",
  );
  const after = await deploy(
    container("web", "web-2", "y", "/var/lib/data") +
      container("worker", "worker-1", "y", "/srv") +
      container("loner", "", "x", ""),
    "Two of them move",
  );
  const node = (state: typeof after, name: string) =>
    Object.entries(state.containers).find(([key]) => key === name)?.[1];
  expect([node(after, "web")?.node, node(after, "worker")?.node]).toEqual(["y", "y"]);
  expect(node(after, "loner")).toEqual(node(before, "loner"));
  expect(readLog("y", after.volumes[SHARED]?.epoch ?? 0)).toEqual([
    "web-1",
    "web-2",
    "worker-1",
    "worker-1",
  ]);
});

test("a volume that leaves the file is detached and kept, and is there when it comes back", async () => {
  const without = await deploy(container("loner", "", "x", ""), "No volume any more");
  expect(Object.keys(without.containers)).toEqual(["loner"]);
  expect(without.volumes[SHARED]).toMatchObject({ owner: null, head: { stopped: "clean" } });
  const again = await deploy(
    container("loner", "", "x", "") + container("web", "web-3", "x", "/var/lib/data"),
    "Back again, on the other node",
  );
  expect(readLog("x", again.volumes[SHARED]?.epoch ?? 0)).toEqual([
    "web-1",
    "web-2",
    "web-3",
    "worker-1",
    "worker-1",
  ]);
});

test("a wrong file fails its deploy with line and column, and what runs is untouched", async () => {
  const before = await scene.state();
  const { commit } = await scene.repository.push({ Deliverous: "web:\n    imagee: x\n" }, "Wrong");
  const ended = await scene.ended(commit);
  expect(ended.result).toBe("failed");
  expect(ended.reason).toContain("Deliverous:2:5");
  expect((await scene.state()).containers).toEqual(before.containers);
});
