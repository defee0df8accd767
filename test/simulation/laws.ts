/**
 * What must hold, looked at from outside: each revision of the record as it is written, each object
 * as it is deleted, the machines after everything that happens, and all of it at the end.
 */
import { recordPrefix } from "../../adapters/store-keys.ts";
import type { VolumeName } from "../../workflows/ids.ts";
import { EndedDeploy, type ProjectState, RecordRevision } from "../../workflows/record.ts";
import { PROJECT } from "./control.ts";
import type { Node } from "./node.ts";
import type { Site } from "./site.ts";
import { enforceVolumeLaws, type VolumeLaws } from "./volume-laws.ts";
import { checkWriters } from "./writers.ts";

export interface Laws {
  /** The newest revision's. */
  state(): ProjectState | null;
  readonly revisions: readonly RecordRevision[];
  readonly volumes: readonly VolumeLaws[];
  /** A loss that no branch makes good; null: there is none. */
  findMissingBranch(): string | null;
  /** The receipts of all deploys that have ended. */
  receipts(): EndedDeploy[];
  /** What must hold once everything is mended and at rest. */
  checkEnd(accepted: readonly string[]): Promise<void>;
}

const project = PROJECT;

export const enforceLaws = (
  site: Pick<Site, "world" | "store" | "directory">,
  nodes: readonly Node[],
  names: readonly VolumeName[],
  acknowledged: () => readonly string[],
): Laws => {
  const { world, store } = site;
  const revisions: RecordRevision[] = [];
  const state = (): ProjectState | null => revisions.at(-1)?.state ?? null;
  const volumes = names.map((name) => enforceVolumeLaws(site, nodes, name, acknowledged));
  store.onPut = async (key, body) => {
    if (!key.startsWith(recordPrefix(project))) return;
    const revision = RecordRevision.parse(JSON.parse(body.toString()));
    const before = revisions.at(-1);
    checkChain(before, revision, (what) => world.breach(what));
    revisions.push(revision);
    world.note(`revision ${revision.rev}: ${revision.state.deploy?.phase.name ?? "at rest"}`);
    for (const laws of volumes) await laws.checkRevision(before, revision);
  };
  store.onDelete = async (keys) => {
    const current = state();
    if (current === null) return;
    for (const laws of volumes) await laws.checkDeletion(current, keys);
  };
  world.watch(() => checkWriters(nodes, (what) => world.breach(what)));
  const receipts = (): EndedDeploy[] =>
    [...store.objects]
      .filter(([key]) => key.startsWith(`projects/${project}/deploys/`))
      .map(([, body]) => EndedDeploy.parse(JSON.parse(body.toString())));
  return {
    state,
    revisions,
    receipts,
    volumes,
    findMissingBranch: () =>
      volumes.map((laws) => laws.findMissingBranch(state())).find((one) => one !== null) ?? null,
    checkEnd: async (accepted) => {
      const ended = receipts();
      for (const requestId of accepted) {
        const receipt = ended.find((one) => one.requestId === requestId);
        if (receipt === undefined) world.breach(`L2: request ${requestId} came to no end`);
        else if (receipt.result !== "deployed" && receipt.reason === null) {
          world.breach(`L2: request ${requestId} is ${receipt.result} without a reason`);
        }
      }
      for (const laws of volumes) await laws.checkEnd(revisions);
    },
  };
};

type Breach = (what: string) => void;

const checkChain = (
  before: RecordRevision | undefined,
  revision: RecordRevision,
  breach: Breach,
): void => {
  if (revision.rev !== (before?.rev ?? -1) + 1)
    breach(`I7: revision ${revision.rev} is out of turn`);
  if (revision.prevWriteId !== (before?.writeId ?? null)) {
    breach(`I7: revision ${revision.rev} was decided on another one than the last`);
  }
  if (revision.state.epochCounter < (before?.state.epochCounter ?? 0)) {
    breach("I5: the epoch counter went back");
  }
};
