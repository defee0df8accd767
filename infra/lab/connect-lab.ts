/**
 * A running lab as tests use it. All of it follows from the lab's description, a JSON file, so that
 * any process can use a lab that another one started.
 */
import { join } from "node:path";
import * as z from "zod";
import { countPuts, killGateway, radosgwAdmin, S3Description, startGateway } from "./ceph.ts";
import { runDirectory } from "./claims.ts";
import { startDockerEngine } from "./docker-engine.ts";
import { SqsDescription } from "./elasticmq.ts";
import { inNamespace, labHost, NODE_NAMES, setLink, setReachable } from "./network.ts";
import { killAll, nodePids, unmountBelow } from "./remove-lab.ts";

export const NodeDescription = z.strictObject({
  name: z.enum(NODE_NAMES),
  namespace: z.string(),
  /** Every lab host and this machine reach it; containers publish their ports on it. */
  address: z.string(),
  dockerSocket: z.string(),
  /** For whatever a test keeps on this node; goes with the lab. */
  directory: z.string(),
});
export type NodeDescription = z.infer<typeof NodeDescription>;

export const LabDescription = z.strictObject({
  id: z.string(),
  /** `.lab/<id>`: logs in log/, the description in lab.json. */
  directory: z.string(),
  /** This machine's address in the lab: what the hosts reach it at. */
  bridgeAddress: z.string(),
  nodes: z.array(NodeDescription),
  s3: S3Description.optional(),
  sqs: SqsDescription.optional(),
});
export type LabDescription = z.infer<typeof LabDescription>;

export type Argv = readonly [string, ...string[]];

export interface LabNode extends NodeDescription {
  /** The command line that runs a program with this node's network. */
  nsenter(argv: Argv): [string, ...string[]];
  /** Kills the engine and every container and process on the node, as a power cut would. */
  crash(signal: AbortSignal): Promise<void>;
  /** Starts the engine of a node that crashed; resolves when it answers. */
  boot(signal: AbortSignal): Promise<void>;
  /** Pulls the node's plug, or puts it back. */
  setLink(state: "up" | "down", signal: AbortSignal): Promise<void>;
  /** Cuts the node's way to one address, or opens it again. */
  setReachable(address: string, state: "reachable" | "cut", signal: AbortSignal): Promise<void>;
}

export interface LabStore extends S3Description {
  /** Runs radosgw-admin with these arguments; resolves with its output. */
  radosgwAdmin(args: readonly string[], signal: AbortSignal): Promise<string>;
  /** Objects that the gateway stored since it started. */
  countPuts(index: number, signal: AbortSignal): Promise<number>;
  killGateway(index: number, signal: AbortSignal): Promise<void>;
  startGateway(index: number, signal: AbortSignal): Promise<void>;
}

export interface Lab extends Omit<LabDescription, "nodes" | "s3"> {
  readonly nodes: readonly LabNode[];
  readonly s3: LabStore | undefined;
  /** Ends the lab if this process started it; one that it found running stays. Idempotent. */
  stop(signal: AbortSignal): Promise<void>;
}

export const connectLab = (description: LabDescription, stop: Lab["stop"]): Lab => ({
  ...description,
  nodes: description.nodes.map((node) => connectNode(description, node)),
  s3: description.s3 && connectStore(description, description.s3),
  stop,
});

const connectNode = (lab: LabDescription, node: NodeDescription): LabNode => {
  const host = labHost(lab.id, node.name);
  const site = { id: lab.id, labDirectory: lab.directory, host };
  return {
    ...node,
    nsenter: (argv) => inNamespace(host.namespace, argv),
    crash: async (signal) => {
      const pids = () => nodePids(host, signal);
      await killAll(pids, `node ${node.name} has no processes`, signal);
      const engine = [join(node.directory, "docker"), join(runDirectory(lab.id), node.name)];
      await unmountBelow(engine, signal);
    },
    boot: (signal) => startDockerEngine(site, signal),
    setLink: (state, signal) => setLink(lab.id, node.name, state, signal),
    setReachable: (address, state, signal) => setReachable(host, address, state, signal),
  };
};

const connectStore = ({ id, directory }: LabDescription, s3: S3Description): LabStore => ({
  ...s3,
  radosgwAdmin: (args, signal) => radosgwAdmin(s3, args, signal),
  countPuts: (index, signal) => countPuts({ id }, index, signal),
  killGateway: (index, signal) => killGateway(directory, index, signal),
  startGateway: (index, signal) =>
    startGateway({ id, labDirectory: directory }, s3, { index, signal }),
});
