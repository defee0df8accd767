/** `max_pause` on real parts: what fits goes on; what does not is told before anything is stopped. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { attachOrStartLab, FULL_LAB } from "../../infra/lab/lab.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import type { EndedDeploy } from "../../workflows/record.ts";
import { openScene, type Scene } from "./deploy-scene.ts";

const PORT = 8112;
const signal = AbortSignal.timeout(280_000);
let lab: Lab;
let scene: Scene;

const file = (node: string, maxPause: string): string => `web:
    image: log-writer
    ports:
    - "${PORT}:8080"
    stop_grace_period: 5s
    deploy:
      placement:
        constraints:
        - node.id == ${node}
    volumes:
    - name: log
      path: /var/lib/data
      max_pause: ${maxPause}
`;

const deploy = async (node: string, maxPause: string, ...flags: string[]) => {
  await scene.repository.push({ Deliverous: file(node, maxPause) }, `To ${node} in ${maxPause}`);
  const { code, stdout } = await scene.installation.cli(
    ...["deploy", scene.project, "--json", ...flags],
  );
  return { code, ended: JSON.parse(stdout) as EndedDeploy };
};

/** The processes that ever opened the log, the one that runs now last. */
const processes = (node: number): Promise<readonly string[]> =>
  waitUntil(
    async () => {
      const response = await fetch(`http://${lab.nodes[node]?.address}:${PORT}/log`);
      const lines = z.array(z.object({ instance: z.string() })).parse(await response.json());
      return [...new Set(lines.map(({ instance }) => instance))];
    },
    { what: `an answer on node ${node}`, timeoutMs: 60_000 },
    signal,
  );

beforeAll(async () => {
  lab = await attachOrStartLab(FULL_LAB, console.log, signal);
  const name = `budget-${randomBytes(3).toString("hex")}`;
  scene = await openScene(lab, { name, store: "s3", queue: "elasticmq", hook: false });
  expect((await deploy("x", "60s")).code).toBe(0);
});
afterAll(async () => {
  await scene?.close();
  await lab?.stop(AbortSignal.timeout(60_000));
});

test("a pause that does not fit is refused before anything stops, and taken where the user says so", async () => {
  const before = await processes(0);
  const refused = await deploy("y", "100ms");
  expect(refused).toMatchObject({ code: 1, ended: { result: "failed", gapMs: null } });
  expect(refused.ended.reason).toMatch(/predicted, and max_pause is 0\.1 s.*nothing was stopped/);
  expect(refused.ended.timeline.map(({ phase }) => phase)).not.toContain("draining");
  expect(await processes(0)).toEqual(before);

  const allowed = await deploy("y", "100ms", "--allow-longer-pause");
  expect(allowed).toMatchObject({ code: 0, ended: { result: "deployed" } });
  expect(allowed.ended.gapMs).toBeGreaterThan(100);
  expect(await processes(1)).toEqual([...before, expect.any(String)]);
});

test("a pause that fits goes on, foreseen from the last one, and status shows both", async () => {
  const { history } = await scene.state();
  const { code, ended } = await deploy("x", "60s");
  expect(code).toBe(0);
  const last = history.findLast(({ gapMs }) => gapMs !== null)?.gapMs ?? 0;
  expect(Math.abs((ended.predictedPauseMs ?? 0) - last)).toBeLessThan(last / 2);
  expect(ended.gapMs).toBeLessThan(60_000);
  const { stdout } = await scene.installation.cli("status", scene.project);
  expect(stdout).toMatch(/gap [\d.]+ m?s \(predicted [\d.]+ m?s\)/);
});
