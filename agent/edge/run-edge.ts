/**
 * The edge: one stable address for clients, whichever node their container is on. It follows the
 * records and decides nothing: a node lets clients in only when it serves, so an edge that is late,
 * wrong or one of several can make clients wait, and no more than that.
 */
import type { SQSRecord } from "aws-lambda";
import pLimit from "p-limit";
import type { CaddyAdmin } from "../../adapters/caddy-admin.ts";
import {
  type CaddySettings,
  type CaddySite,
  renderCaddyApps,
} from "../../adapters/caddy-config.ts";
import { enterDoor } from "../../adapters/enter-door.ts";
import { createKeyedLock } from "../../adapters/keyed-lock.ts";
import { edgeKey, ROUTED_PREFIX } from "../../adapters/store-keys.ts";
import type { EdgeStatus } from "../../functions/advance-deploy/hint-edges.ts";
import type { ControlPorts } from "../../functions/control-ports.ts";
import { encodeJson } from "../../functions/json-object.ts";
import { EdgeHint } from "../../functions/messages.ts";
import { sqsBatch } from "../../functions/sqs-batch.ts";
import { RetryableError, TerminalError } from "../../volume/errors.ts";
import { type EdgeRoute, findRoutes } from "../../workflows/edge/routes.ts";
import { settleRoutes } from "../../workflows/edge/settle-routes.ts";
import { type NodeId, ProjectId } from "../../workflows/ids.ts";
import { followPlaces } from "./follow-places.ts";
import type { HeldRoute } from "./hold-client.ts";
import { createListeners } from "./listeners.ts";
import { createLocator } from "./locate.ts";

/** What a lost hint costs: names and ports that come, change or go are opened so much later. */
const LOOK_EVERY_MS = 30_000;
/** Connections to one container that are being made at a time. */
const ENTERING_MAX = 64;
/** Caddy and the edge may be started at the same time. */
const BEGIN_AGAIN_MS = 500;

export interface EdgeOptions {
  readonly edge: NodeId;
  readonly version: string;
  readonly ports: Pick<ControlPorts, "store" | "records" | "nowMs" | "log">;
  readonly caddy: CaddyAdmin;
  readonly caddySettings: CaddySettings;
  /** Holds the sockets between Caddy and the edge. */
  readonly directory: string;
  /** Where TCP ports are opened; null: nowhere. */
  readonly bind: string | null;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface Edge {
  /** A Lambda-shaped handler for the edge's queue. */
  readonly handleBatch: ReturnType<typeof sqsBatch>;
  /** Opens all ways in that are known by now. */
  begin(): Promise<void>;
  /** Looks after them until the signal aborts. */
  run(): Promise<void>;
}

export const createEdge = (options: EdgeOptions, signal: AbortSignal): Edge => {
  const { ports, sleep } = options;
  const places = followPlaces(ports, ports.nowMs);
  const routes = new Map<ProjectId, readonly EdgeRoute[]>();
  const lock = createKeyedLock();
  const listeners = createListeners({
    directory: options.directory,
    bind: options.bind,
    hold: createHold(options, places, signal),
    onError: (error, { project, container }) =>
      ports.log.error({ project, container, err: error }, "route.unavailable"),
  });
  const open = createOpener(options, listeners, signal);
  const look = async (project: ProjectId): Promise<void> => {
    const state = await places.readProject(project, signal);
    routes.set(project, state === null ? [] : findRoutes(state));
  };
  const lookAtAll = async (): Promise<void> => {
    const status: EdgeStatus = {
      edge: options.edge,
      atMs: ports.nowMs(),
      version: options.version,
    };
    await ports.store.put(edgeKey(options.edge), encodeJson(status), {}, signal);
    for await (const { key } of ports.store.list(ROUTED_PREFIX, signal)) {
      const project = ProjectId.safeParse(key.slice(ROUTED_PREFIX.length));
      if (project.success) await look(project.data);
    }
  };
  /** One after the other, so that what was seen last is what is open. */
  const update = (see: () => Promise<void>): Promise<void> =>
    lock.run("routes", async () => {
      await see();
      await open([...routes.values()].flat());
    });
  const handleRecord = ({ body }: SQSRecord): Promise<void> => {
    const { project } = EdgeHint.parse(JSON.parse(body));
    return update(() => look(project));
  };
  return {
    handleBatch: sqsBatch(handleRecord, (error) =>
      ports.log.error({ err: error }, "message.failed"),
    ),
    begin: async () => {
      for (;;) {
        try {
          return await update(lookAtAll);
        } catch (error) {
          if (signal.aborted || !(error instanceof RetryableError)) throw error;
          ports.log.error({ err: error }, "edge.waits");
          await sleep(BEGIN_AGAIN_MS, signal);
        }
      }
    },
    run: async () => {
      while (!signal.aborted) {
        await sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
        if (signal.aborted) return;
        await update(lookAtAll).catch((error: unknown) => {
          if (!signal.aborted) ports.log.error({ err: error }, "edge.late");
        });
      }
    },
  };
};

/** What a listener needs to take clients to the route's container; a container is sought once. */
const createHold = (
  { ports, sleep }: EdgeOptions,
  places: ReturnType<typeof followPlaces>,
  signal: AbortSignal,
): ((route: EdgeRoute) => HeldRoute) => {
  const ways = new Map<string, Pick<HeldRoute, "locator" | "entering">>();
  return ({ project, container, containerPort: port, holdMs, way }) => {
    const key = `${project}/${container}/${port}`;
    const known = ways.get(key);
    const locator =
      known?.locator ??
      createLocator({
        readPlaces: () => places.readPlaces(project, container, signal),
        knock: async (place, knocking) => {
          const probe = { project, container, port, kind: "probe" } as const;
          (await enterDoor(place, probe, knocking)).destroy();
        },
        sleep,
        nowMs: ports.nowMs,
        onError: (error) => ports.log.error({ project, container, err: error }, "place.unknown"),
      });
    const entering = known?.entering ?? pLimit(ENTERING_MAX);
    ways.set(key, { locator, entering });
    const kind = way.kind === "http" ? "request" : "stream";
    return { preface: { project, container, port, kind }, locator, entering, holdMs, sleep };
  };
};

/** Opens exactly these ways in: sockets before Caddy leads to them, and Caddy before they go. */
const createOpener = (
  { ports, caddy, caddySettings }: EdgeOptions,
  listeners: ReturnType<typeof createListeners>,
  signal: AbortSignal,
): ((routes: readonly EdgeRoute[]) => Promise<void>) => {
  let told = "";
  const lead = createLead({ ports, caddy, caddySettings }, signal);
  return async (all) => {
    const { routes, clashes } = settleRoutes(all);
    const said = JSON.stringify([routes, clashes]);
    await listeners.open(routes);
    const sites = routes.flatMap((route) =>
      route.way.kind === "http"
        ? route.way.domains.map((site) => ({ ...site, socket: listeners.socketOf(route) }))
        : [],
    );
    await lead(sites);
    listeners.closeOthers(routes);
    if (said === told) return;
    told = said;
    for (const clash of clashes) ports.log.warn(clash, "route.clash");
    ports.log.info({ routes: routes.length, sites: sites.length }, "edge.opened");
  };
};

/** Has Caddy serve exactly these sites; a reload ends WebSockets of an old one, so only when needed. */
const createLead = (
  { ports, caddy, caddySettings }: Pick<EdgeOptions, "ports" | "caddy" | "caddySettings">,
  signal: AbortSignal,
): ((sites: readonly CaddySite[]) => Promise<void>) => {
  let keepsStreams = true;
  const lead = async (sites: readonly CaddySite[]): Promise<void> => {
    const { mark, apps } = renderCaddyApps(sites, { ...caddySettings, keepsStreams });
    // Caddy may have been restarted, or told otherwise.
    if ((await caddy.listServers(signal)).includes(`bagage-${mark}`)) return;
    try {
      await caddy.setApps(apps, signal);
    } catch (error) {
      if (!(error instanceof TerminalError) || error.code !== "caddy-old" || !keepsStreams) {
        throw error;
      }
      keepsStreams = false;
      ports.log.warn(
        { hint: "Caddy 2.7 or later keeps WebSockets when names change" },
        "caddy.old",
      );
      await lead(sites);
    }
  };
  return lead;
};
