/** A control machine: the real handlers of webhook, queue and timer, as often as it is started. */
import { openProjectRecords } from "../../adapters/project-records.ts";
import { localContext } from "../../agent/local-context.ts";
import { createHandler as createAdvanceHandler } from "../../functions/advance-deploy/handler.ts";
import { collectProject } from "../../functions/collect-garbage/collect-project.ts";
import type { ControlPorts, GitPort } from "../../functions/control-ports.ts";
import { forgetNode } from "../../functions/forget-node.ts";
import { CONTROL_QUEUE } from "../../functions/messages.ts";
import type { HttpHandler } from "../../functions/operations.ts";
import { createPushPorts } from "../../functions/push-ports.ts";
import { createHandler as createPushHandler } from "../../functions/receive-git-push/handler.ts";
import { hintRequest, recordRequest } from "../../functions/request-deploy.ts";
import { createHandler as createSweepHandler } from "../../functions/sweep/handler.ts";
import { type NodeId, ProjectId } from "../../workflows/ids.ts";
import type { Desired } from "../../workflows/record.ts";
import { createMachine, type Machine, type Process } from "./machine.ts";
import type { Site } from "./site.ts";

export interface Control {
  readonly machine: Machine;
  /** Where webhooks arrive; null while the machine is down. */
  receive: HttpHandler | null;
  /** What the command line does: the request stands in the store, or it fails. */
  request(request: Omit<Desired, "deployId">): Promise<void>;
  /** An operator's word that the node will not come back. */
  forget(node: NodeId): Promise<void>;
  /** A collection of the project's garbage, begun now, at this machine's own pace. */
  collect(project: ProjectId): void;
}

const SWEEP_EVERY_MS = 15_000;
/** The only one there is. */
export const PROJECT = ProjectId.parse("shop");

export const createControl = (site: Site, name: string, git: GitPort): Control => {
  const { world } = site;
  let ports: ControlPorts | null = null;
  const boot = (process: Process): void => {
    const { signal } = new AbortController();
    ports = portsOf(site, process, git);
    const advance = createAdvanceHandler(ports, signal);
    const sweep = createSweepHandler(ports, signal, world.nowMs);
    control.receive = createPushHandler(createPushPorts(ports));
    site.queues.consume(CONTROL_QUEUE, process, (event) =>
      advance(event, localContext("advance-deploy")),
    );
    const sweeping = async (): Promise<void> => {
      for (;;) {
        await sweep({}, localContext("sweep")).catch(() => undefined);
        await process.sleep(SWEEP_EVERY_MS, signal);
      }
    };
    void sweeping();
  };
  const control: Control = {
    receive: null,
    request: async (request) => {
      if (ports === null) throw new Error("nobody is there");
      const { signal } = new AbortController();
      await recordRequest(ports, PROJECT, request, signal);
      await hintRequest(ports, PROJECT, request.requestId, signal);
    },
    forget: async (node) => {
      if (ports === null) throw new Error("nobody is there");
      await forgetNode(ports, node, "an operator", new AbortController().signal);
    },
    machine: createMachine(world, name, boot, () => {
      control.receive = null;
      ports = null;
    }),
    collect: (project) => {
      if (ports === null) return;
      world.note(`${name} collects garbage`);
      const { signal } = new AbortController();
      const { mutation, blindRecords } = site;
      const isBlind = mutation === "collector-without-roots";
      const { store } = ports;
      const records = isBlind ? blindRecords(ports.records) : ports.records;
      const collect = async (): Promise<void> => {
        const loaded = await records.load(project, signal);
        if (loaded !== null) await collectProject({ store }, loaded.state, false, signal);
      };
      collect().catch(() => undefined);
    },
  };
  return control;
};

const portsOf = (site: Site, process: Process, git: GitPort): ControlPorts => {
  const { world } = site;
  const store = site.store.openFor(process);
  const nowMs = () => process.nowMs();
  const newUuid = () => world.random.uuid();
  const pause = (maxMs: number, signal: AbortSignal) =>
    process.sleep(maxMs * world.random.next(), signal);
  return {
    store,
    records: openProjectRecords({ store, nowMs, newUuid, pause }),
    git: {
      resolve: (request, signal) =>
        process.call("look into git", () => git.resolve(request, signal), { signal }),
    },
    events: { post: async () => undefined, setCommitStatus: async () => undefined },
    send: (queue, message, signal) =>
      process.call(
        `send ${(message as { type: string }).type}`,
        () => site.queues.send(queue, message),
        {
          signal,
        },
      ),
    nowMs,
    newUuid,
    log: site.log,
  };
};
