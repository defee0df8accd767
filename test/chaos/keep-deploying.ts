/** One deploy after the other, as somebody at the command line would ask for them. */
import { waitUntil } from "../../infra/lab/wait-until.ts";
import type { Scene } from "../lab/deploy-scene.ts";

export const PORT = 8190;

export type OnNodeLoss = "wait" | "restore";

/** A file that named a node would keep the volume from going on without it. */
const file = (node: string, round: number, onNodeLoss: OnNodeLoss) => `web:
    image: log-writer
    environment: {ROUND: "${round}"}
    ports: ["${PORT}:8080"]
    healthcheck:
      test: ["CMD", "node", "-e", "fetch('http://127.0.0.1:8080/health').then(r => process.exit(r.ok ? 0 : 1))"]
      interval: 1s
      retries: 8
    stop_grace_period: 3s
    deploy:
      placement:
        constraints: ${onNodeLoss === "wait" ? `["node.id == ${node}"]` : "[]"}
    volumes:
    - name: log
      path: /var/lib/data
      on_node_loss: ${onNodeLoss}
`;

export const waitEnded = (scene: Scene, commit: string, timeoutMs: number) =>
  waitUntil(
    async () => (await scene.state()).history.find((ended) => ended.commit === commit),
    { what: `the end of ${commit}`, timeoutMs },
    AbortSignal.timeout(timeoutMs + 1_000),
  );

export type DeployTo = (node: string, round: number) => Promise<string>;

/** Commits the round's file and asks for the node; the commit. */
export const deployerOf =
  (scene: Scene, onNodeLoss: OnNodeLoss): DeployTo =>
  async (node, round) => {
    const Deliverous = file(node, round, onNodeLoss);
    const { commit } = await scene.repository.push({ Deliverous }, `Deploy ${round}`);
    const argv = ["deploy", scene.project, "--commit", commit, "--to", node, "--detach"];
    const { code, stderr } = await scene.installation.cli(...argv);
    if (code !== 0) throw new Error(`bagage deploy: ${stderr}`);
    return commit;
  };

/** To and fro, each deploy to its end; one that does not end is left to the sweep. */
export const keepDeploying = async (
  scene: Scene,
  deploy: DeployTo,
  until: AbortSignal,
  note: (line: string) => void,
): Promise<string[]> => {
  const results: string[] = [];
  let round = 0;
  while (!until.aborted) {
    round += 1;
    const node = round % 3 === 0 ? "x" : round % 3 === 1 ? "y" : "x";
    try {
      const ended = await waitEnded(scene, await deploy(node, round), 60_000);
      results.push(ended.result);
      note(`deploy ${round} to ${node}: ${ended.result} ${ended.reason ?? ""}`);
    } catch (error) {
      results.push("without an end in a minute");
      note(`deploy ${round} to ${node}: ${String(error)}`);
    }
  }
  return results;
};
