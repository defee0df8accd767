/** What the end-to-end tests have in common: an installation, a repository, and its deploys. */
import { randomBytes, randomUUID } from "node:crypto";
import { connectDocker } from "../../adapters/docker-engine.ts";
import { openStore } from "../../adapters/open-store.ts";
import { openProjectRecords, type ProjectRecords } from "../../adapters/project-records.ts";
import { readConfig } from "../../functions/config.ts";
import type { Lab, LabNode } from "../../infra/lab/connect-lab.ts";
import {
  type Installation,
  type InstallationOptions,
  install,
} from "../../infra/lab/installation.ts";
import { createRepository, type Repository } from "../../infra/lab/repository.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { ProjectId } from "../../workflows/ids.ts";
import type { EndedDeploy, ProjectState } from "../../workflows/record.ts";

const DEPLOY_TIMEOUT_MS = 120_000;
const READ_TIMEOUT_MS = 30_000;
const REMOVE_TIMEOUT_MS = 60_000;

export interface Scene {
  readonly installation: Installation;
  readonly repository: Repository;
  readonly project: string;
  state(): Promise<ProjectState>;
  /** The ended deploy of the commit. */
  ended(commit: string): Promise<EndedDeploy>;
  /** Waits until the project's state is as the test needs it. */
  until<T>(what: string, probe: (state: ProjectState) => T | undefined): Promise<T>;
  close(): Promise<void>;
}

export type SceneOptions = InstallationOptions & {
  readonly hook?: boolean;
  /** How the agents of nodes are started; default: as processes of the installation. */
  readonly startNode?: (installation: Installation, node: LabNode) => Promise<void>;
};

/** Serve and both nodes run; the project is configured and nothing is deployed yet. */
export const openScene = async (lab: Lab, options: SceneOptions): Promise<Scene> => {
  const installation = await install(lab, options);
  try {
    return await openSceneOf(lab, installation, options);
  } catch (error) {
    await installation.close();
    throw error;
  }
};

const startNodeProcess = (installation: Installation, { name }: LabNode): Promise<void> =>
  installation.startNode(name);

const openSceneOf = async (
  lab: Lab,
  installation: Installation,
  options: SceneOptions,
): Promise<Scene> => {
  const project = options.name;
  await installation.startServe();
  const startNode = options.startNode ?? startNodeProcess;
  await Promise.all(lab.nodes.slice(0, 2).map((node) => startNode(installation, node)));
  const secret = randomBytes(24).toString("hex");
  const hook = { url: installation.url, project, secret };
  const repository = await createRepository(
    `${installation.directory}/git`,
    options.hook === false ? null : hook,
  );
  const added = await installation.cli(
    ...["project", "add", project, "--repository", repository.url, "--secret", secret],
  );
  if (added.code !== 0) throw new Error(added.stderr);
  const records = await openRecords(installation);
  const state = async (): Promise<ProjectState> => {
    const loaded = await records.load(
      ProjectId.parse(project),
      AbortSignal.timeout(READ_TIMEOUT_MS),
    );
    if (loaded === null) throw new Error(`there is no project ${project}`);
    return loaded.state;
  };
  const until: Scene["until"] = (what, probe) =>
    waitUntil(
      async () => probe(await state()),
      { what, timeoutMs: DEPLOY_TIMEOUT_MS },
      AbortSignal.timeout(DEPLOY_TIMEOUT_MS),
    );
  return {
    installation,
    repository,
    project,
    state,
    until,
    ended: (commit) =>
      until(`the end of ${commit}`, ({ history }) =>
        history.find((ended) => ended.commit === commit),
      ),
    close: async () => {
      await installation.close();
      await Promise.all(lab.nodes.map((node) => removeContainers(node.dockerSocket, project)));
    },
  };
};

/** The records as every process of the installation reads them; far cheaper than a command. */
const openRecords = async ({ environment }: Installation): Promise<ProjectRecords> => {
  const store = await openStore(readConfig(environment).store);
  return openProjectRecords({ store, nowMs: Date.now, newUuid: randomUUID });
};

const removeContainers = async (socketPath: string, project: string): Promise<void> => {
  const signal = AbortSignal.timeout(REMOVE_TIMEOUT_MS);
  const docker = connectDocker({ socketPath });
  const labels = { "bagage.project": project };
  for (const { name } of await docker.listContainers(labels, signal)) {
    await docker.removeContainer(name, signal);
  }
};

export interface AppOptions {
  readonly tag: string;
  /** The only node that it may run on; null: any. */
  readonly node: string | null;
  readonly port: number;
  readonly onNodeLoss?: "wait" | "restore";
  readonly standby?: number;
}

/** The demonstration's application, in the form a user would write. */
export const appFile = ({ tag, node, port, onNodeLoss, standby }: AppOptions): string => `web:
    image: bagage-demo:${tag}
    ports:
    - "${port}:8080"
    healthcheck:
      test: ["CMD", "node", "-e", "fetch('http://127.0.0.1:8080/health').then(r => process.exit(r.ok ? 0 : 1))"]
      interval: 2s
      retries: 4
    stop_grace_period: 5s
    deploy:
      placement:
        constraints: ${node === null ? "[]" : `["node.id == ${node}"]`}
    volumes:
    - name: mes_data
      path: /var/lib/data
      on_node_loss: ${onNodeLoss ?? "wait"}
${standby === undefined ? "" : `      standby: ${standby}\n`}`;

/** Adds a note through the application's published port; its text is then acknowledged. */
export const addNote = async (url: string, text: string): Promise<void> => {
  const response = await fetch(`${url}/notes`, {
    method: "POST",
    body: JSON.stringify({ text }),
    headers: { "content-type": "application/json" },
    signal: AbortSignal.timeout(10_000),
  });
  if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
};

/** The notes' texts, asked until the application answers. */
export const readNotes = (url: string): Promise<string[]> =>
  waitUntil(
    async () => {
      const response = await fetch(`${url}/notes`, { signal: AbortSignal.timeout(5_000) });
      return ((await response.json()) as { text: string }[]).map(({ text }) => text);
    },
    { what: `an answer of ${url}`, timeoutMs: 30_000 },
    AbortSignal.timeout(30_000),
  );
