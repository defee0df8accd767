/**
 * A small world around the real rules: nodes that act on what they once read, Docker daemons that
 * execute starts late, agents and machines that die, steps that stand still between any two effects.
 *
 * Data are not modelled byte by byte. Of a copy only one thing matters: whether it holds every write
 * that was ever acknowledged (`current`) or lacks one (`behind`). A write that is acknowledged makes
 * the copy it went to the only current one, so any number of writes can be explored. `given-up` is
 * what an accepted loss left behind on a lost node.
 */

export type Content = "current" | "behind" | "given-up";

export type CopyRole = "live" | "sealed" | "branch" | "staging";

export interface CopyWorld {
  readonly volume: string;
  readonly role: CopyRole;
  readonly epoch: number;
  readonly content: Content;
  /** The snapshot that the marker beside the data names. */
  readonly marker: string | null;
  /** The epoch of a container that wrote to it before the record committed it; 0: none did. */
  readonly taintedBy: number;
}

export interface RunningWorld {
  readonly container: string;
  readonly epoch: number;
  /** Names of the copies that it has mounted: a mount follows its directory through renames. */
  readonly mounts: readonly string[];
  /** Its start was asked for under a session of the lease that is over: no guard knows of it. */
  readonly isLate?: true;
}

/** A start that the daemon was handed and has not executed. */
export interface QueuedStart {
  readonly container: string;
  readonly epoch: number;
  readonly sources: readonly string[];
  readonly isLate?: true;
}

/** A step in work: it goes by the record it read when it began, however long ago that is. */
export interface TaskWorld {
  readonly deployId: string;
  readonly step: string;
  readonly view: number;
  /** The effects that are done. */
  readonly stage: number;
  /** What the snapshots taken hold. */
  readonly taken: Readonly<Record<string, Content>>;
  /** Of a start: the session of the lease that held when it read its record; 0: none did. */
  readonly heldSince?: number;
  /** The session of the lease under which it started something. */
  readonly session?: number;
}

export interface NodeWorld {
  readonly isOn: boolean;
  /** Of the node's lease, the session that began last, and whether it still holds. */
  readonly session: number;
  readonly isHeld: boolean;
  /**
   * A session that ended while the record was as it is: a control may have seen that, and may write the
   * next revision by it although the node has begun another one since. 0: none.
   */
  readonly seenOver: number;
  readonly fences: {
    readonly containers: Readonly<Record<string, number>>;
    readonly volumes: Readonly<Record<string, number>>;
  };
  readonly copies: readonly CopyWorld[];
  readonly running: readonly RunningWorld[];
  readonly queued: readonly QueuedStart[];
  readonly gates: readonly { readonly container: string; readonly epoch: number }[];
  /** The record as the agent last read it, by its number; null: the agent has just started. */
  readonly view: number | null;
  readonly tasks: readonly TaskWorld[];
}

export interface ReportWorld {
  readonly step: string;
  readonly node: string;
  readonly isFailure: boolean;
  /** Every object of its snapshots is in the store. */
  readonly isWhole: boolean;
  readonly snapshots: Readonly<Record<string, string>>;
  readonly session?: number;
}

export interface StoreWorld {
  /** Reports that the record still waits for. */
  readonly reports: readonly ReportWorld[];
  /** Snapshots that hold every acknowledged write, and `empty-<volume>` before the first. */
  readonly current: readonly string[];
  /** Snapshots of which an object is missing. */
  readonly broken: readonly string[];
}

/** What may still happen, where a scenario bounds it. */
export interface Budget {
  readonly requests: number;
  readonly troubles: number;
}

/** What a move changes; what it does not name stays. */
export interface Outcome {
  readonly label: string;
  readonly node?: NodeWorld;
  readonly store?: StoreWorld;
  /** The volume to which a write is acknowledged. */
  readonly acknowledged?: string;
  /** The copy that the write went to. */
  readonly copy?: string;
  readonly isTrouble?: boolean;
  readonly breach?: string;
}

export const EMPTY_NODE: NodeWorld = {
  isOn: true,
  session: 1,
  isHeld: true,
  seenOver: 0,
  fences: { containers: {}, volumes: {} },
  copies: [],
  running: [],
  queued: [],
  gates: [],
  view: null,
  tasks: [],
};

/** `data live-e3`: what a copy is called on its node. */
export const nameOf = ({
  volume,
  role,
  epoch,
}: Pick<CopyWorld, "volume" | "role" | "epoch">): string =>
  role === "staging" ? `${volume} staging` : `${volume} ${role}-e${epoch}`;

export const emptyOf = (volume: string): string => `empty-${volume}`;

export const findCopy = (node: NodeWorld, name: string): CopyWorld | undefined =>
  node.copies.find((copy) => nameOf(copy) === name);

/** The node with the copy changed, or added, and mounts that follow it. Null: the name is taken. */
export const changeCopy = (
  node: NodeWorld,
  from: CopyWorld | null,
  to: CopyWorld,
): NodeWorld | null => {
  const others = node.copies.filter((copy) => copy !== from);
  const name = nameOf(to);
  if (others.some((copy) => nameOf(copy) === name)) return null;
  const old = from === null ? null : nameOf(from);
  return {
    ...node,
    copies: [...others, to].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)),
    running:
      old === null || old === name
        ? node.running
        : node.running.map((running) => ({
            ...running,
            mounts: running.mounts.map((mount) => (mount === old ? name : mount)),
          })),
  };
};

export const dropCopy = (node: NodeWorld, copy: CopyWorld): NodeWorld => ({
  ...node,
  copies: node.copies.filter((other) => other !== copy),
});

/** After a write to one copy: every other that was current no longer is. */
export const outdate = (node: NodeWorld, volume: string, written: string | null): NodeWorld => ({
  ...node,
  copies: node.copies.map((copy) =>
    copy.volume === volume && copy.content === "current" && nameOf(copy) !== written
      ? { ...copy, content: "behind" as const }
      : copy,
  ),
  tasks: node.tasks.map((task) =>
    task.taken[volume] === "current"
      ? { ...task, taken: { ...task.taken, [volume]: "behind" as const } }
      : task,
  ),
});

/** `deploy-second-seal-e2.data` is of volume `data`. */
export const volumeOfSnapshot = (id: string): string =>
  id.startsWith("empty-") ? id.slice("empty-".length) : id.slice(id.lastIndexOf("--") + 2);
export const snapshotName = (deployId: string, step: string, volume: string): string =>
  `${deployId}-${step}--${volume}`;
