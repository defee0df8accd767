/** Faults 16 and 23 on real parts: whoever dies in whichever phase, the deploy ends, data intact. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { addNote, appFile, openScene, readNotes, type Scene } from "./deploy-scene.ts";

const PORT = 8103;
const signal = AbortSignal.timeout(900_000);
const acknowledged: string[] = [];
let lab: Lab;
let scene: Scene;
let deploys = 0;

const nodeName = (index: number): "x" | "y" => (index % 2 === 0 ? "x" : "y");
const at = (name: string) => `http://${lab.nodes.find((n) => n.name === name)?.address}:${PORT}`;
const push = (node: string) => {
  deploys += 1;
  return scene.repository.push(
    { Deliverous: appFile({ tag: "2", node, port: PORT }) },
    `Deploy ${deploys}`,
  );
};
const write = async (node: string) => {
  const text = `note ${acknowledged.length}`;
  await addNote(at(node), text);
  acknowledged.push(text);
};

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const name = `killed-${randomBytes(3).toString("hex")}`;
  scene = await openScene(lab, { name, store: "s3", queue: "elasticmq", sweepS: 2 });
  const first = await push("x");
  expect((await scene.ended(first.commit)).result).toBe("deployed");
});
afterAll(async () => {
  await scene?.close();
  await lab.stop(signal);
});

const source = (owner: string) => `node-${owner}`;
const target = (owner: string) => `node-${owner === "x" ? "y" : "x"}`;
const cases = [
  { phase: "copying", victim: source },
  { phase: "copying", victim: target },
  { phase: "draining", victim: source },
  { phase: "sealed", victim: target },
  { phase: "starting", victim: target },
  { phase: "starting", victim: source },
  { phase: "draining", victim: () => "serve" },
] as const;

test.each(cases.map((one, index) => ({ ...one, who: one.victim("owner"), index })))(
  "16, 23: $who is killed in $phase (case $index)",
  async ({ phase, victim }) => {
    const owner = Object.values((await scene.state()).volumes)[0]?.owner ?? "";
    await readNotes(at(owner));
    await write(owner);
    const to = owner === "x" ? nodeName(1) : nodeName(0);
    const { commit } = await push(to);
    await scene.until(`phase ${phase}`, ({ deploy, history }) =>
      deploy?.phase.name === phase || history.some((ended) => ended.commit === commit)
        ? true
        : undefined,
    );
    const name = victim(owner);
    await scene.installation.stop(name, "SIGKILL");
    if (name === "serve") await scene.installation.startServe();
    else await scene.installation.startNode(name.slice("node-".length));
    const ended = await scene.ended(commit);
    expect(["deployed", "rolled-back", "aborted", "failed"]).toContain(ended.result);
    const now = Object.values((await scene.state()).volumes)[0]?.owner ?? "";
    expect(now).toBe(ended.result === "deployed" ? to : owner);
    expect(await readNotes(at(now))).toEqual(acknowledged);
    await write(now);
  },
);
