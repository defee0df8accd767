/** Carries a scenario's faults out, each at its time, and mends what it broke. */
import { openSync } from "node:fs";
import { CONTROL_QUEUE } from "../../functions/messages.ts";
import { directoriesOf } from "./daemon.ts";
import type { Machine, Moment } from "./machine.ts";
import type { Fault, FaultOf } from "./scenario.ts";
import type { Installation } from "./simulate.ts";

/** Until somebody starts it. */
const LAST_MS = 30 * 86_400_000;
/** A kill waits for a boundary at most so long. */
const KILL_WITHIN_MS = 30_000;

export const strike = (installation: Installation, fault: Fault): void => {
  const { world, queues } = installation.site;
  const lasting = (mend: () => void, forMs: number): void => void world.after(forMs, mend);
  const node = "node" in fault ? installation.node(fault.node) : null;
  world.note(`FAULT ${JSON.stringify(fault)}`);
  switch (fault.kind) {
    case "kill":
      killAt(installation.machine(fault.machine), fault);
      return;
    case "freeze": {
      const machine = installation.machine(fault.machine);
      machine.frozenUntilMs = Math.max(machine.frozenUntilMs, world.nowMs() + fault.forMs);
      return;
    }
    case "reboot":
      node?.reboot(fault.downMs);
      return;
    case "late-start":
      if (node !== null) node.daemon.lateStartMs = fault.lateMs;
      return;
    case "container-dies": {
      const running = [...(node?.daemon.containers.values() ?? [])].filter(
        ({ held }) => held.length > 0,
      );
      if (running.length > 0) node?.daemon.signal(world.random.pick(running).request.name, "KILL");
      return;
    }
    case "store":
      lasting(installation.site.store.trouble(fault.trouble, fault.share), fault.forMs);
      return;
    case "queue":
      lasting(queues.trouble(fault.trouble, fault.share), fault.forMs);
      return;
    case "clock":
      installation.machine(fault.machine).clockOffsetMs += fault.byMs;
      return;
    case "collect":
      installation.collect(fault.control);
      return;
    case "cancel":
      cancel(installation);
      return;
    case "cut":
    case "lose":
      strikeNetworkOrPower(installation, fault);
      return;
    case "forget":
      forget(installation);
      return;
    case "drain": {
      const { node: name, atMs } = fault;
      queues.send(CONTROL_QUEUE, {
        type: "node.drain.requested",
        version: 1,
        id: `drain-${atMs}`,
        node: name,
      });
      return;
    }
    case "restore": {
      const snapshots = Object.values(installation.laws.state()?.volumes ?? {})[0]?.snapshots ?? [];
      if (snapshots.length > 0) installation.pusher.restore(world.random.pick(snapshots).id);
      return;
    }
    case "git-away":
      installation.pusher.isGitAway = true;
      lasting(() => {
        installation.pusher.isGitAway = false;
      }, fault.forMs);
      return;
    default:
      strikeNode(installation, fault);
  }
};

/** Longer than any lease, and than the rest of a run's troubles. */
const LATE_MS = 400_000;

const strikeNetworkOrPower = (installation: Installation, fault: FaultOf<"cut" | "lose">): void => {
  const { world } = installation.site;
  const node = installation.node(fault.node);
  if (fault.kind === "lose") {
    // One node at least is left to go on with.
    const isLast = fault.returns === "last" && installation.lost.size === 0;
    if (isLast) installation.lost.add(node.id);
    node.reboot(isLast ? LAST_MS : LATE_MS);
    return;
  }
  node.machine.isCut = true;
  world.after(fault.forMs, () => {
    node.machine.isCut = false;
  });
};

/** Only of a node that stays away until all else has been looked at: the operator's word is true. */
const forget = (installation: Installation): void => {
  const [name] = installation.lost;
  if (name === undefined) return;
  const { world } = installation.site;
  const control = world.random.pick([installation.control("c1"), installation.control("c2")]);
  const { process } = control.machine;
  process?.deliver(() => {
    world.note(`an operator gives ${name} up for lost`);
    control.forget(name).catch(() => undefined);
  });
};

type NodeFault = FaultOf<"daemon-restart" | "deaf-container" | "stranger" | "disk-full">;

const strikeNode = (installation: Installation, fault: NodeFault): void => {
  const { world } = installation.site;
  const node = installation.node(fault.node);
  switch (fault.kind) {
    case "daemon-restart":
      node.daemon.isDown = true;
      node.daemon.endAll();
      world.after(fault.downMs, () => {
        node.daemon.isDown = false;
      });
      return;
    case "deaf-container":
      node.daemon.isDeaf = true;
      world.after(fault.forMs, () => {
        node.daemon.isDeaf = false;
      });
      return;
    case "disk-full":
      node.isDiskFull = true;
      world.after(fault.forMs, () => {
        node.isDiskFull = false;
      });
      return;
    case "stranger": {
      const running = [...node.daemon.containers.values()].find(({ held }) => held.length > 0);
      const [first] = running === undefined ? [] : directoriesOf(running);
      if (first === undefined) return;
      node.stranger = openSync(first.directory, "r");
      world.after(fault.forMs, () => {
        node.stranger = null;
      });
    }
  }
};

/** At the machine's n-th call from now on, before or after its effect; or a while later anyway. */
const killAt = (machine: Machine, fault: FaultOf<"kill">): void => {
  let left = fault.calls;
  const kill = (): void => {
    machine.strike = null;
    machine.kill(fault.downMs);
  };
  machine.strike = (_what: string, moment: Moment): boolean => {
    if (moment !== fault.moment) return false;
    left -= 1;
    if (left >= 0) return false;
    kill();
    return true;
  };
  const planned = machine.strike;
  machine.world.after(KILL_WITHIN_MS, () => {
    if (machine.strike === planned) kill();
  });
};

const cancel = ({ site, laws }: Installation): void => {
  const state = laws.state();
  const deployId = state?.deploy?.id ?? state?.desired?.deployId;
  if (state === null || deployId === undefined) return;
  const { project } = state;
  site.queues.send(CONTROL_QUEUE, {
    type: "deploy.cancel.requested",
    version: 1,
    project,
    deployId,
  });
};
