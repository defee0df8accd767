/** What all parts of one simulated installation share. */
import type { Logger } from "pino";
import type { ProjectRecords } from "../../adapters/project-records.ts";
import type { Mutation } from "./mutation.ts";
import type { Node } from "./node.ts";
import type { Queues } from "./queues.ts";
import type { SharedStore } from "./store.ts";
import type { World } from "./world.ts";

export interface Site {
  readonly world: World;
  /** Where the machines' disks are; removed with the site. */
  readonly directory: string;
  readonly store: SharedStore;
  readonly queues: Queues;
  readonly mutation: Mutation;
  /** Whether a volume's file lets it go on without its node; only then a lease is kept. */
  readonly hasLeases: boolean;
  readonly log: Logger;
  /** Records without the roots of what a collection must leave: for a planted bug. */
  readonly blindRecords: (records: ProjectRecords) => ProjectRecords;
  /** A snapshot begins: whoever still writes to the directory of a seal is a breach. */
  readonly onSeal: (node: Node, request: { directory: string; snapshotId: string }) => void;
}
