/**
 * Starts a lab: the parts that are asked for, side by side, each as soon as its packages are there.
 * Either all of it stands in the end, or nothing of it is left.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { identifyProcess } from "../../adapters/process-identity.ts";
import { TerminalError } from "../../volume/errors.ts";
import { type S3Description, startCeph } from "./ceph.ts";
import { type Claim, claimLab } from "./claims.ts";
import { connectLab, type Lab, LabDescription, type NodeDescription } from "./connect-lab.ts";
import {
  CEPH_PACKAGES,
  DOCKER_PACKAGES,
  EDGE_PACKAGES,
  ELASTICMQ_PACKAGES,
  ensureDebianPackages,
  IMAGE_PACKAGES,
  NETWORK_PACKAGES,
  TEST_PACKAGES,
} from "./debian-packages.ts";
import { dockerSocket, startDockerEngine } from "./docker-engine.ts";
import { fetchElasticMq, type SqsDescription, startElasticMq } from "./elasticmq.ts";
import { loadImages, prepareImages } from "./images.ts";
import { createNetwork, labHost, machineAddress, NODE_NAMES, type NodeName } from "./network.ts";
import { isLabAlive, removeDeadLabs, removeLab } from "./remove-lab.ts";

export interface LabParts {
  /** Nodes with a Docker engine: 0 to 3, named x, y, z. */
  readonly engines: number;
  /** Ceph with so many S3 gateways; 0 means no Ceph. */
  readonly gateways: number;
  /** An SQS-speaking broker. */
  readonly elasticmq: boolean;
}

/** What the tests need. */
export const FULL_LAB: LabParts = { engines: 2, gateways: 2, elasticmq: true };

export type Log = (line: string) => void;

/** All labs of this work tree, and what they are made of, lie here. */
export const LABS_DIRECTORY = fileURLToPath(new URL("../../.lab", import.meta.url));

export const descriptionFile = (directory: string): string => join(directory, "lab.json");

/**
 * Installs what is missing, clears away labs whose owners died, and starts a new one. This process
 * owns it until it stops it or leaves it to itself (claims.ts).
 * @throws TerminalError with the end of the log of the part that did not start.
 */
export const startLab = async (parts: LabParts, log: Log, signal: AbortSignal): Promise<Lab> => {
  await timed(log, "Debian packages", ensureDebianPackages(packagesOf(parts), signal));
  for (const id of await removeDeadLabs(signal)) log(`Lab ${id}, whose owner is gone: removed`);
  const claim = claimLab(LABS_DIRECTORY, identifyProcess(process.pid) ?? null);
  const stop = (stopSignal: AbortSignal) => removeLab(claim, stopSignal);
  try {
    layDirectories(claim.directory);
    const description = await startParts(claim, parts, { log, signal });
    const file = descriptionFile(claim.directory);
    writeFileSync(`${file}.new`, `${JSON.stringify(description, null, 2)}\n`);
    renameSync(`${file}.new`, file);
    return connectLab(description, stop);
  } catch (error) {
    await stop(AbortSignal.timeout(STOP_TIMEOUT_MS));
    throw error;
  }
};

/** Long enough for a loaded machine; a stop takes a second or two. */
export const STOP_TIMEOUT_MS = 120_000;

/**
 * The lab that the environment variable BAGAGE_LAB names (a path of a lab.json), or a new one. A lab
 * that was running stays when it is stopped here.
 * @throws TerminalError when the lab named is gone or lacks a part.
 */
export const attachOrStartLab = async (
  parts: LabParts,
  log: Log,
  signal: AbortSignal,
): Promise<Lab> => {
  const file = process.env["BAGAGE_LAB"];
  return file ? attachLab(file, parts, signal) : startLab(parts, log, signal);
};

export const attachLab = async (
  file: string,
  parts: LabParts,
  signal: AbortSignal,
): Promise<Lab> => {
  const hint = "Unset BAGAGE_LAB, or start a lab with infra/lab/main.ts up";
  let description: LabDescription;
  try {
    description = LabDescription.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new TerminalError(`${file} describes no lab`, { code: "no_lab", hint, cause });
  }
  const { id, directory, nodes, s3, sqs } = description;
  const complete =
    nodes.length >= parts.engines &&
    (s3?.endpoints.length ?? 0) >= parts.gateways &&
    (sqs !== undefined || !parts.elasticmq);
  if (!complete || !(await isLabAlive({ id, directory, owner: null }, signal))) {
    const data = { parts };
    throw new TerminalError(`Lab ${id} is gone or lacks a part`, { code: "no_lab", hint, data });
  }
  return connectLab(description, async () => {});
};

const packagesOf = ({ engines, gateways, elasticmq }: LabParts): string[] => [
  ...NETWORK_PACKAGES,
  ...TEST_PACKAGES,
  ...(engines > 0 ? [...DOCKER_PACKAGES, ...IMAGE_PACKAGES, ...EDGE_PACKAGES] : []),
  ...(gateways > 0 ? CEPH_PACKAGES : []),
  ...(elasticmq ? ELASTICMQ_PACKAGES : []),
];

const layDirectories = (directory: string): void => {
  rmSync(directory, { recursive: true, force: true });
  for (const name of ["log", "pid"]) mkdirSync(join(directory, name), { recursive: true });
};

interface Progress {
  readonly log: Log;
  readonly signal: AbortSignal;
}

const startParts = async (
  { id, directory }: Claim,
  { engines, gateways, elasticmq }: LabParts,
  { log, signal }: Progress,
): Promise<LabDescription> => {
  const names = NODE_NAMES.slice(0, engines);
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  await timed(log, "Network", createNetwork(id, ["store", "queue", ...names], both));
  const parts = [
    startNodes({ id, labDirectory: directory, names }, log, both),
    gateways > 0 ? startStore(id, directory, { gateways, log, signal: both }) : undefined,
    elasticmq ? startBroker(id, directory, { log, signal: both }) : undefined,
  ] as const;
  try {
    const [nodes, s3, sqs] = await Promise.all(parts);
    return { id, directory, bridgeAddress: machineAddress(id), nodes, s3, sqs };
  } catch (error) {
    // The other parts must have stopped starting before what they started can be removed.
    failed.abort(error);
    await Promise.allSettled(parts);
    throw error;
  }
};

interface NodesSite {
  readonly id: string;
  readonly labDirectory: string;
  readonly names: readonly NodeName[];
}

const startNodes = async (
  { id, labDirectory, names }: NodesSite,
  log: Log,
  signal: AbortSignal,
): Promise<NodeDescription[]> => {
  if (names.length === 0) return [];
  const files = prepareImages(LABS_DIRECTORY, signal);
  const startNode = async (name: NodeName): Promise<NodeDescription> => {
    const host = labHost(id, name);
    const site = { id, labDirectory, host };
    const socket = dockerSocket(site);
    await startDockerEngine(site, signal);
    await loadImages(socket, await files);
    return { ...host, name, dockerSocket: socket, directory: join(labDirectory, name) };
  };
  return timed(log, `Docker on ${names.join(", ")}`, Promise.all(names.map(startNode)));
};

const startStore = (
  id: string,
  labDirectory: string,
  { gateways, log, signal }: Progress & { readonly gateways: number },
): Promise<S3Description> => {
  const site = { id, labDirectory, gatewayCount: gateways };
  return timed(log, `Ceph with ${gateways} S3 gateway(s)`, startCeph(site, signal));
};

const startBroker = async (
  id: string,
  labDirectory: string,
  { log, signal }: Progress,
): Promise<SqsDescription> => {
  const jarDirectory = await fetchElasticMq(LABS_DIRECTORY, signal);
  return timed(log, "ElasticMQ", startElasticMq({ id, labDirectory, jarDirectory }, signal));
};

const timed = async <T>(log: Log, what: string, work: Promise<T>): Promise<T> => {
  const startedMs = performance.now();
  const result = await work;
  log(`${what}: ready after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  return result;
};
