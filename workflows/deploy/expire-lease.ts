/**
 * Fail-over. The session of a node's lease is over: its guard has stopped what the session held. A
 * volume whose file says `on_node_loss: restore` goes on from its last snapshot elsewhere; any other
 * waits for its node. Deploys that wait for the node take their way back.
 */
import type { ContainerName, LeaseSession, NodeId, VolumeName } from "../ids.ts";
import { keysOf, mapRecord } from "../keys-of.ts";
import type { Deploy, ProjectState } from "../record.ts";
import { findGroups } from "./find-groups.ts";
import { detachFrom, undoOnNode, waiveAwaits } from "./give-up-node.ts";
import { changed, type Decision, type InputOf, refused, UNCHANGED } from "./messages.ts";
import { replaceLost } from "./replace-lost.ts";

export const expireLease = (state: ProjectState, input: InputOf<"lease.expired">): Decision => {
  const { node, nowMs, session } = input;
  const back = takeBack(state, input);
  // A return that nothing replaces is waited for: the node has not made its directory yet, and in
  // the running version it never would.
  const freed = withoutReturn(back, input);
  const event = (type: string, data: Record<string, unknown> = {}) => ({
    type,
    data: { project: state.project, node, session, ...data },
  });
  const waits = freed === state ? UNCHANGED : changed(freed, event("node.silent"));
  if (freed.deploy !== null) return waits;
  const restorable = findRestorable(freed, node, session);
  if (restorable.size === 0) return waits;
  const acceptedBy = "on_node_loss: restore";
  const detached = detachFrom(
    freed,
    { node, nowMs, acceptedBy },
    (names) => names.length > 0 && names.every((name) => restorable.has(name)),
  );
  const replaced = replaceLost({ before: freed, after: detached, node, nowMs }, input.replacement);
  if (replaced.kind === "begun") {
    const windows = [...restorable].map((name) => [
      name,
      detached.volumes[name]?.losses.at(-1)?.windowMs,
    ]);
    return changed(
      replaced.state,
      event("node.failed-over", { windowMs: Object.fromEntries(windows) }),
    );
  }
  // Better on a node that may come back than on none: the next look finds the same again.
  const reasons = replaced.reasons.join("; ");
  if (back !== state) return changed(back, event("failover.impossible", { reasons }));
  return refused("failover-impossible", reasons, `bring ${node} back, or add a node that fits`);
};

/**
 * The running deploy without what the node owes it. Nothing that a node starts for a deploy is
 * reachable before it ends, so that no client can miss what is left behind here. Nor is anything
 * given to another node while this one might start it: it may have begun another session since its
 * lease was looked at, and go by this very record. So the record forbids the start first; only a
 * look at the lease after that can tell that there was none.
 */
const takeBack = (
  state: ProjectState,
  { node, session, nowMs }: InputOf<"lease.expired">,
): ProjectState => {
  if (state.deploy?.phase.name === "unstarting") return waiveAwaits(state, { node, nowMs });
  const reason = `node ${node} does not answer (session ${session} of its lease is over)`;
  return undoOnNode(state, { node, reason, nowMs, isForGood: false });
};

/**
 * The deploy ended without the node's return, if that alone is awaited; or else as it is. Under any
 * session but this one nothing returns any more once the record names it, which it must have done
 * before the lease was looked at.
 */
const withoutReturn = (
  back: ProjectState,
  { node, session, nowMs }: InputOf<"lease.expired">,
): ProjectState => {
  if (back.deploy?.phase.name !== "returning") return back;
  const returned = volumesFrom(back.deploy, node);
  if (returned.length === 0) return back;
  if (returned.some((name) => back.volumes[name]?.settings.onNodeLoss !== "restore")) return back;
  const isNamed = returned.every((name) => back.volumes[name]?.lease === session);
  if (isNamed) {
    const ended = waiveAwaits(back, { node, nowMs });
    return ended.deploy === null ? ended : back;
  }
  const volumes = mapRecord(back.volumes, (volume, name) =>
    returned.includes(name) ? { ...volume, lease: session } : volume,
  );
  return { ...back, volumes };
};

const volumesFrom = (deploy: Deploy, node: NodeId): VolumeName[] =>
  keysOf(deploy.volumes).filter((name) => deploy.volumes[name]?.from?.node === node);

/**
 * Volumes that the node owns and that may all go on without it: containers that share volumes move
 * together or not at all, and a volume without a snapshot must never begin empty by itself.
 */
const findRestorable = (
  state: ProjectState,
  node: NodeId,
  session: LeaseSession,
): Set<VolumeName> => {
  const specs = Object.fromEntries(
    keysOf(state.containers).flatMap((name) => {
      const container = state.containers[name];
      return container?.node === node ? [[name, [container.spec]]] : [];
    }),
  ) as Parameters<typeof findGroups>[0];
  const volumesOf = (group: readonly ContainerName[]): VolumeName[] =>
    group.flatMap((name) => (specs[name] ?? []).flatMap((s) => s.volumes.map((v) => v.name)));
  const groups = findGroups(specs).map(volumesOf);
  return new Set(
    groups
      .filter((names) =>
        names.every((name) => {
          const volume = state.volumes[name];
          const isGuarded = volume?.settings.onNodeLoss === "restore" && volume.lease === session;
          return isGuarded && volume.head !== null;
        }),
      )
      .flat(),
  );
};
