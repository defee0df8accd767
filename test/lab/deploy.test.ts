/** The main job on real parts: pushes move a container and its volume, or leave all as it was. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import {
  addNote,
  appFile,
  openScene,
  readNotes,
  type Scene,
  type SceneOptions,
} from "./deploy-scene.ts";
import { checkTrace } from "./trace-file.ts";

const signal = AbortSignal.timeout(900_000);
let lab: Lab;
beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
});
afterAll(() => lab.stop(signal));

const traceFile = (store: string) => join(lab.directory, `traces-${store}-${process.pid}.jsonl`);
const token = () => randomBytes(3).toString("hex");

const variants: readonly (Pick<SceneOptions, "store" | "queue"> & { port: number })[] = [
  { store: "s3", queue: "elasticmq", port: 8101 },
  { store: "directory", queue: "embedded", port: 8102 },
];

describe.each(variants)("on $store with $queue", ({ store, queue, port }) => {
  let scene: Scene;
  const at = (node: number) => `http://${lab.nodes[node]?.address}:${port}`;
  beforeAll(async () => {
    const environment = { BAGAGE_TRACES_PATH: traceFile(store) };
    scene = await openScene(lab, { name: `move-${store}-${token()}`, store, queue, environment });
  });
  afterAll(() => scene?.close());

  test("the first push starts the container, and a push moves it with its data", async () => {
    const first = await scene.repository.push(
      { Deliverous: appFile({ tag: "1", node: "x", port }) },
      "One",
    );
    expect(first.output).toContain("recorded");
    expect(await scene.ended(first.commit)).toMatchObject({ result: "deployed", gapMs: null });
    // The ports open when the node has read the commit, a moment after it.
    expect(await readNotes(at(0))).toEqual([]);
    for (const text of ["a", "b", "c"]) await addNote(at(0), text);

    const second = await scene.repository.push(
      { Deliverous: appFile({ tag: "2", node: "y", port }) },
      "Two",
    );
    const ended = await scene.ended(second.commit);
    expect(ended.result).toBe("deployed");
    expect(await readNotes(at(1))).toEqual(["a", "b", "c"]);
    await expect(fetch(at(0))).rejects.toThrow();
    const volume = Object.values(ended.volumes)[0];
    expect(volume?.hydrated?.digest).toBe(volume?.sealed?.digest);
    expect(volume?.sealed?.stopped).toBe("clean");
    expect(ended.gapMs).toBeGreaterThan(0);
    await checkTrace(traceFile(store), scene.project, ended);
  });

  test("an unhealthy version is rolled back: the old one serves, its data identical", async () => {
    await addNote(at(1), "d");
    const bad = await scene.repository.push(
      { Deliverous: appFile({ tag: "bad", node: "x", port }) },
      "Bad",
    );
    expect(await scene.ended(bad.commit)).toMatchObject({ result: "rolled-back" });
    expect(await readNotes(at(1))).toEqual(["a", "b", "c", "d"]);
    const { volumes } = await scene.state();
    expect(Object.values(volumes)[0]).toMatchObject({ owner: "y", branches: [{ node: "x" }] });
  });

  test("14: of two quick pushes the newer one is deployed", async () => {
    const a = await scene.repository.push(
      { Deliverous: appFile({ tag: "1", node: "x", port }) },
      "A",
    );
    const b = await scene.repository.push(
      { Deliverous: appFile({ tag: "2", node: "x", port }) },
      "B",
    );
    // Whoever asks for a commit that another request brings already is told so at once.
    const deployed = await scene.until(`the deploy of ${b.commit}`, ({ history }) =>
      history.find((ended) => ended.commit === b.commit && ended.result !== "unchanged"),
    );
    expect(deployed.result).toBe("deployed");
    const { history, commit } = await scene.state();
    expect(commit).toBe(b.commit);
    expect(
      history.filter((ended) => ended.commit === a.commit && ended.result === "deployed").length,
    ).toBeLessThan(2);
    expect(await readNotes(at(0))).toEqual(["a", "b", "c", "d"]);
  });
});
