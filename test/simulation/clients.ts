/** The world outside: who writes through the open port, and who pushes and waits for the 202. */
import { createHash, createHmac } from "node:crypto";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { localContext } from "../../agent/local-context.ts";
import type { GitPort } from "../../functions/control-ports.ts";
import { RetryableError } from "../../volume/errors.ts";
import { CommitId, NodeId, type SnapshotId, VolumeName } from "../../workflows/ids.ts";
import type { Desired } from "../../workflows/record.ts";
import { type Behaviour, findLoss, imageOf, readLog, takeRecord } from "./application.ts";
import { type Control, PROJECT } from "./control.ts";
import { directoriesOf } from "./daemon.ts";
import type { Laws } from "./laws.ts";
import type { Node } from "./node.ts";
import { type Scenario, volumesOf } from "./scenario.ts";
import type { Site } from "./site.ts";

export const SECRET = "the-secret-of-the-shop";
const REF = "refs/heads/main";
const DATA = VolumeName.parse("data");
const WRITE_EVERY_MS_MAX = 5_000;
const LATENCY_MS_MAX = 80;

export interface Writer {
  /** Ids of the records that the client was told are safe, in their order. */
  readonly acknowledged: readonly string[];
  stop(): void;
}

/** Writes one record after the other through whichever port is open. */
export const startWriter = (
  site: Site,
  nodes: readonly Node[],
  laws: Pick<Laws, "volumes">,
  everyMsMax = WRITE_EVERY_MS_MAX,
): Writer => {
  const { world } = site;
  const { random } = world;
  const acknowledged: string[] = [];
  let count = 0;
  let isStopped = false;
  const latencyMs = () => random.between(1, LATENCY_MS_MAX);
  const write = (): void => {
    if (isStopped) return;
    const next = () => void world.after(random.between(100, everyMsMax), write);
    const open = nodes.filter(({ gates }) => (gates?.list().length ?? 0) > 0);
    const node = open.length === 0 ? undefined : random.pick(open);
    const agent = node?.machine.process ?? null;
    if (node === undefined || agent === null) {
      next();
      return;
    }
    count += 1;
    const id = `r${count}`;
    // The connection lives in the agent: it forwards when it gets a turn, and dies with it.
    world.after(latencyMs(), () => {
      agent.deliver(() => {
        const container = [...node.daemon.containers.values()].find(
          ({ ours, state }) => ours?.container === "web" && state === "running",
        );
        if (container === undefined || container.held.length === 0) return;
        for (const { directory } of directoriesOf(container)) takeRecord(directory, id, random);
        world.note(`${node.id} record ${id}`);
        agent.deliver(() => {
          acknowledged.push(id);
          for (const { volume, directory } of directoriesOf(container)) {
            const promised = laws.volumes.find((one) => one.volume === volume)?.promised() ?? [];
            const loss = findLoss(readLog(directory), promised);
            if (loss !== null) world.breach(`I4: ${volume}, as ${node.id} serves it: ${loss}`);
          }
        }, 0);
      }, 0);
      next();
    });
  };
  write();
  const stop = (): void => {
    isStopped = true;
  };
  return { acknowledged, stop };
};

export interface Pushed {
  readonly node: string;
  readonly behaviour: Behaviour;
}

export interface Pusher {
  push(what: Pushed): void;
  /** Starts the volume from that snapshot, with the version that was pushed last. */
  restore(snapshotId: SnapshotId): void;
  /** Names of the requests that were answered 202. */
  readonly accepted: readonly string[];
  readonly git: GitPort;
  isGitAway: boolean;
}

const TRIES_MAX = 8;
const ANSWER_MS_MAX = 10_000;

export const createPusher = (
  site: Site,
  controls: () => readonly Control[],
  scenario: Pick<Scenario, "isShared" | "volumeCount" | "onNodeLoss">,
): Pusher => {
  const { world } = site;
  const files = new Map<CommitId, string>();
  const accepted: string[] = [];
  let head: CommitId | null = null;
  const deliver = (event: APIGatewayProxyEventV2, requestId: string, triesLeft: number): void => {
    let isOver = false;
    const again = (): void => {
      if (isOver) return;
      isOver = true;
      if (triesLeft > 0) world.after(ANSWER_MS_MAX, () => deliver(event, requestId, triesLeft - 1));
    };
    world.after(ANSWER_MS_MAX, again);
    const control = world.random.pick(controls());
    const process = control.machine.process;
    process?.deliver(() => {
      control.receive?.(event, localContext("receive-git-push")).then(({ statusCode }) =>
        process.deliver(() => {
          if (statusCode !== 202) again();
          else if (!isOver) {
            isOver = true;
            accepted.push(requestId);
            world.note(`push ${requestId} is accepted`);
          }
        }),
      );
    });
  };
  /** As from the command line of a control machine, by somebody who asks until it is taken. */
  const ask = (request: Omit<Desired, "deployId">, triesLeft = TRIES_MAX): void => {
    let isOver = false;
    const again = (): void => {
      if (isOver) return;
      isOver = true;
      if (triesLeft > 0) world.after(ANSWER_MS_MAX, () => ask(request, triesLeft - 1));
    };
    world.after(ANSWER_MS_MAX, again);
    const control = world.random.pick(controls());
    control.machine.process?.deliver(() => {
      control.request(request).then(() => {
        if (isOver) return;
        isOver = true;
        accepted.push(request.requestId);
        world.note(`request ${request.requestId} is taken`);
      }, again);
    });
  };
  let requests = 0;
  const askFor = (what: Pick<Desired, "commit" | "target" | "restore" | "acceptLoss">): void => {
    requests += 1;
    ask({
      requestId: `cli.r${requests}`,
      trigger: "cli",
      ref: REF,
      force: true,
      requestedAtMs: world.nowMs(),
      ...what,
    });
  };
  const pusher: Pusher = {
    accepted,
    isGitAway: false,
    restore: (snapshotId) => {
      if (head === null) return;
      world.note(`restore of ${snapshotId}`);
      askFor({ commit: head, restore: { [DATA]: snapshotId }, acceptLoss: true });
    },
    push: ({ node, behaviour }) => {
      const version = files.size + 1;
      head = CommitId.parse(createHash("sha1").update(String(version)).digest("hex"));
      files.set(head, fileOf({ node, behaviour, version, ...scenario }));
      world.note(`push ${version}: ${behaviour}, to ${node}`);
      // A file that named a node would keep the volume from going on without it.
      if (scenario.onNodeLoss === "restore") {
        askFor({ commit: head, target: NodeId.parse(node), restore: {}, acceptLoss: false });
        return;
      }
      deliver(deliveryOf(`d${version}`, head), `gitea.d${version}`, TRIES_MAX);
    },
    git: {
      resolve: async ({ commit }) => {
        if (pusher.isGitAway) throw new RetryableError("git: no answer", { code: "git-away" });
        const at = commit ?? head;
        const file = at === null ? undefined : files.get(at);
        if (at === null || file === undefined) return null;
        return { commit: at, subject: "", file: Buffer.from(file) };
      },
    },
  };
  return pusher;
};

const deliveryOf = (delivery: string, commit: CommitId): APIGatewayProxyEventV2 => {
  const body = JSON.stringify({ ref: REF, after: commit });
  const path = `/hooks/gitea/${PROJECT}`;
  const http = { method: "POST", path, protocol: "HTTP/1.1", sourceIp: "", userAgent: "" };
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: "",
    headers: {
      "content-type": "application/json",
      "x-gitea-event": "push",
      "x-gitea-delivery": delivery,
      "x-gitea-signature": createHmac("sha256", SECRET).update(body).digest("hex"),
    },
    requestContext: {
      accountId: "local",
      apiId: "local",
      domainName: "",
      domainPrefix: "",
      http,
      requestId: delivery,
      routeKey: "$default",
      stage: "$default",
      time: "",
      timeEpoch: 0,
    },
    body: Buffer.from(body).toString("base64"),
    isBase64Encoded: true,
  };
};

interface FileOptions extends Pushed, Pick<Scenario, "isShared" | "volumeCount" | "onNodeLoss"> {
  readonly version: number;
}

/** The project file of a version, as a user would write it. */
const fileOf = ({ node, behaviour, version, onNodeLoss, ...options }: FileOptions): string => {
  const placement = [
    "    deploy:",
    "      placement:",
    "        constraints:",
    `        - node.id == ${node}`,
  ];
  const volumes = volumesOf(options);
  const mount = (name: VolumeName): string[] => [
    `    - name: ${name}`,
    `      path: /${name}`,
    ...(onNodeLoss === "wait" ? [] : ["      on_node_loss: restore"]),
  ];
  const container = (
    name: string,
    image: string,
    mounts: readonly VolumeName[],
    more: readonly string[],
  ): string[] => [
    `${name}:`,
    `    image: ${image}`,
    ...more,
    "    stop_grace_period: 5s",
    ...(onNodeLoss === "wait" ? placement : []),
    "    volumes:",
    ...mounts.flatMap(mount),
  ];
  const web = container("web", imageOf(behaviour, version), volumes, [
    '    ports: ["8080:80"]',
    "    healthcheck:",
    '      test: ["CMD", "check"]',
    "      interval: 1s",
    "      retries: 4",
  ]);
  const shared = volumes.slice(0, 1);
  const side = options.isShared ? container("side", imageOf("good", version), shared, []) : [];
  return `${[...web, ...side].join("\n")}\n`;
};
