/**
 * Two nodes whose volumes lie on XFS, a real RGW and broker between them, and a project of one
 * container that is moved from one to the other: the place of the gap's measurements.
 */
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Lab, LabNode } from "../../infra/lab/connect-lab.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import { openScene, type Scene } from "../../test/lab/deploy-scene.ts";
import type { EndedDeploy } from "../../workflows/record.ts";
import { type FileSystemKind, mountFileSystem } from "../loop-mount.ts";
import type { Application, ApplicationClients } from "./application.ts";

const PORT = 8190;
const IMAGE_BYTES = 24 * 2 ** 30;
/** Growing the database is an answer too. */
const SERVED_TIMEOUT_MS = 300_000;

export interface GapScene extends Scene {
  readonly application: Application;
  readonly clients: ApplicationClients;
  readonly nodes: readonly [LabNode, LabNode];
  /** A directory on the node's volume file system, for the peers' copies. */
  workOf(node: number): string;
  /** Where the node keeps the volume that a container of the project has mounted, or had. */
  volumesOf(node: number): string;
  /** Tries until the application answers: the ports open a moment after the commit. */
  untilServed(ask: () => Promise<void>): Promise<void>;
  /** Deploys a new version to the node and waits for its end, which must be good. */
  deploy(node: number): Promise<EndedDeploy>;
}

export const openGapScene = async (
  lab: Lab,
  options: { name: string; scratch: string; kind: FileSystemKind; application: Application },
  signal: AbortSignal,
): Promise<GapScene> => {
  const [x, y] = lab.nodes;
  if (x === undefined || y === undefined) throw new Error("the lab has no two nodes");
  const { name, scratch, kind, application } = options;
  await application.load(lab, signal);
  const mounts = [x, y].map((node) => {
    const place = join(scratch, `${name}-${node.name}`);
    mkdirSync(place);
    const mounted = mountFileSystem(kind, place, IMAGE_BYTES);
    mkdirSync(join(mounted.directory, "root"));
    symlinkSync(join(mounted.directory, "root"), join(node.directory, name));
    return mounted;
  });
  const at = (node: number): string => mounts[node]?.directory ?? "";
  const scene = await openScene(lab, { name, store: "s3", queue: "elasticmq", hook: false });
  const clients = application.connect([x, y].map(({ address: host }) => ({ host, port: PORT })));
  let version = 0;
  return {
    ...scene,
    ...{ application, clients },
    nodes: [x, y],
    workOf: (node) => at(node),
    volumesOf: (node) => join(at(node), "root", "volumes", name),
    untilServed: async (ask) => {
      await waitUntil(
        async () => {
          await ask();
          return true;
        },
        { what: "an answer of the application", timeoutMs: SERVED_TIMEOUT_MS },
        AbortSignal.timeout(SERVED_TIMEOUT_MS),
      );
    },
    deploy: async (node) => {
      version += 1;
      const file = writeFile(application, [x, y][node]?.name ?? "", version);
      await scene.repository.push({ Deliverous: file }, "Move");
      const { stdout, stderr } = await scene.installation.cli("deploy", name, "--json");
      const ended = JSON.parse(stdout || "{}") as EndedDeploy;
      if (ended.result !== "deployed") throw new Error(`deploy: ${ended.reason ?? stderr}`);
      return ended;
    },
    close: async () => {
      await clients.close();
      await scene.close();
      for (const mounted of mounts) await mounted.unmount();
    },
  };
};

/** JSON is YAML. */
const writeFile = ({ spec, port, flush }: Application, node: string, version: number): string =>
  JSON.stringify({
    app: {
      image: spec.image,
      ...(spec.command !== undefined && { command: spec.command }),
      environment: { VERSION: `${version}` },
      ports: [`${PORT}:${port}`],
      healthcheck: { test: spec.healthcheck?.test, interval: "1s", retries: 60 },
      stop_grace_period: "30s",
      volumes: [
        { name: "data", path: "/var/lib/data", ...(flush !== undefined && { before_copy: flush }) },
      ],
      deploy: { placement: { constraints: [`node.id == ${node}`] } },
    },
  });
