/** Projects of the control benchmark, and their moves: asked for at once, awaited to the last. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import pLimit from "p-limit";
import { openStore } from "../../adapters/open-store.ts";
import { openProjectRecords } from "../../adapters/project-records.ts";
import {
  connectSqs,
  countMessages,
  openQueue,
  type Queue,
  sendMessages,
} from "../../adapters/sqs.ts";
import { readConfig } from "../../functions/config.ts";
import {
  CONTROL_QUEUE,
  type DeployRequested,
  nameQueues,
  nodeQueue,
} from "../../functions/messages.ts";
import { addProject } from "../../functions/projects.ts";
import { deployIdOf } from "../../functions/request-deploy.ts";
import { createRepository } from "../../infra/lab/repository.ts";
import { NodeId, ProjectId } from "../../workflows/ids.ts";
import { summariseWaits } from "../percentiles.ts";
import { countsSince, type Ended, type Fleet, type FleetCounts } from "./fleet.ts";

/** What came of so many moves. */
export interface Wave {
  readonly elapsedMs: number;
  readonly deployed: number;
  /** They failed, or had not ended when there was no more time. */
  readonly notDeployed: number;
  /** Of the control path: a deploy less its data work. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly counts: FleetCounts;
}

export interface Deploys {
  /** Adds so many projects, and deploys each for the first time, all at once. */
  add(projects: number): Promise<Wave>;
  count(): number;
  /** Moves the first so many to their next node, all at once. */
  moveAll(projects: number): Promise<Wave>;
  /** Deploys the first one so often, one after the other: to its next node each time, or where it is. */
  deployOne(times: number, to: "next" | "same"): Promise<Wave>;
}

const FILE = `web:
    image: app
    volumes:
    - name: data
      path: /data
`;
const ADD_CONCURRENCY = 8;
/** Of a wave. The whole benchmark is to take ten minutes. */
const DEPLOYS_TIMEOUT_MS = 200_000;
const SETTLE_TIMEOUT_MS = 60_000;
const POLL_MS = 250;
const QUIET_LOOKS = 4;

interface Project {
  readonly id: ProjectId;
  deploys: number;
  /** Of its node. */
  place: number;
}

export const openDeploys = async (fleet: Fleet, signal: AbortSignal): Promise<Deploys> => {
  const config = readConfig(fleet.installation.environment);
  const store = await openStore(config.store);
  const ports = {
    store,
    records: openProjectRecords({ store, nowMs: Date.now, newUuid: randomUUID }),
  };
  const { endpoint, region, credentials } = config.sqs;
  const client = connectSqs({
    region,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== null && { credentials }),
  });
  const open = (name: string): Promise<Queue> =>
    openQueue({ client, queue: nameQueues(config.sqs.queuePrefix)(name) }, signal);
  const queue = await open(CONTROL_QUEUE);
  const nodeQueues = await Promise.all(
    fleet.nodes.map((node) => open(nodeQueue(NodeId.parse(node)))),
  );
  const repository = await createRepository(`${fleet.installation.directory}/git`, null);
  await repository.push({ Deliverous: FILE }, "One");
  const projects: Project[] = [];
  const ended = new Map<string, Ended>();
  fleet.onEnded((end) => ended.set(end.deployId, end));

  const deploy = (moving: readonly Project[], to: "next" | "same") =>
    deployAll({ fleet, queue, ended }, { moving, to }, signal);
  const measured = async (work: () => Promise<Outcome>): Promise<Wave> => {
    const before = await fleet.counts();
    const began = Date.now();
    const { waits, notDeployed, why } = await work();
    const elapsedMs = Date.now() - began;
    if (waits.length === 0) throw new Error(`nothing was deployed: ${why}`);
    await settle([queue, ...nodeQueues], signal);
    const counts = countsSince(before, await fleet.counts());
    const { p50Ms, p99Ms } = summariseWaits(waits);
    return { elapsedMs, deployed: waits.length, notDeployed, p50Ms, p99Ms, counts };
  };
  return {
    count: () => projects.length,
    add: async (wanted) => {
      const limit = pLimit(ADD_CONCURRENCY);
      const added: Project[] = [];
      for (let index = projects.length; added.length < wanted; index += 1) {
        added.push({ id: ProjectId.parse(`p${index}`), deploys: 0, place: index });
      }
      const settings = { repository: repository.url, ref: "refs/heads/main", file: "Deliverous" };
      await Promise.all(
        added.map(({ id }) =>
          limit(() =>
            addProject(ports, id, { ...settings, nodes: [], constraints: [] }, undefined, signal),
          ),
        ),
      );
      projects.push(...added);
      return measured(() => deploy(added, "next"));
    },
    moveAll: (count) => measured(() => deploy(projects.slice(0, count), "next")),
    deployOne: (times, to) =>
      measured(async () => {
        const waits: number[] = [];
        for (let n = 0; n < times; n += 1) {
          const one = await deploy(projects.slice(0, 1), to);
          if (one.notDeployed > 0) throw new Error(`a deploy on its own: ${one.why}`);
          waits.push(...one.waits);
        }
        return { waits, notDeployed: 0, why: "" };
      }),
  };
};

interface Running {
  readonly fleet: Fleet;
  readonly queue: Queue;
  readonly ended: Map<string, Ended>;
}

interface Outcome {
  /** Of each that was deployed, its control path. */
  readonly waits: readonly number[];
  readonly notDeployed: number;
  readonly why: string;
}

/** Asks for a deploy of each, and waits until all have ended, or for as long as a wave may take. */
const deployAll = async (
  { fleet, queue, ended }: Running,
  { moving, to }: { readonly moving: readonly Project[]; readonly to: "next" | "same" },
  signal: AbortSignal,
): Promise<Outcome> => {
  const sentAtMs = Date.now();
  const requests = moving.map((project): DeployRequested => {
    project.deploys += 1;
    if (to === "next") project.place += 1;
    const target = fleet.nodes[project.place % fleet.nodes.length] ?? "";
    return {
      ...{ type: "deploy.requested", version: 1, project: project.id, id: `${project.deploys}` },
      ...{ target: NodeId.parse(target), force: true, restore: {} },
      ...{ acceptLoss: false, allowLongerPause: false, take: [] },
    };
  });
  await sendMessages(queue, requests, signal);
  const waiting = new Set(
    requests.map(({ project, id }) => deployIdOf(project, `queue.${id}`) as string),
  );
  const waits: number[] = [];
  let failed = 0;
  let why = "no end was seen in time";
  while (waiting.size > 0 && Date.now() - sentAtMs < DEPLOYS_TIMEOUT_MS) {
    for (const id of waiting) {
      const end = ended.get(id);
      if (end === undefined) continue;
      if (end.result === "deployed") waits.push(end.endedAtMs - sentAtMs - end.dataMs);
      else {
        failed += 1;
        why = `${end.project}: ${end.result}`;
      }
      waiting.delete(id);
      ended.delete(id);
    }
    if (waiting.size > 0) await delay(POLL_MS / 10, undefined, { signal });
  }
  return { waits, notDeployed: failed + waiting.size, why };
};

/** Receipts, garbage and hints of a deploy come after its end; they are counted, too. */
const settle = async (queues: readonly Queue[], signal: AbortSignal): Promise<void> => {
  const untilMs = Date.now() + SETTLE_TIMEOUT_MS;
  for (let quiet = 0; quiet < QUIET_LOOKS && Date.now() < untilMs; ) {
    await delay(POLL_MS, undefined, { signal });
    const left = await Promise.all(queues.map((queue) => countMessages(queue, signal)));
    const isQuiet = left.every(({ visible, inFlight }) => visible + inFlight === 0);
    quiet = isQuiet ? quiet + 1 : 0;
  }
};
