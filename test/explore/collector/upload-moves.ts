/** Whoever takes a snapshot: begins by a record, stores its object, its document, reports; or dies. */
import { stepKind } from "../../../workflows/deploy/steps.ts";
import { liveWriter } from "../../../workflows/snapshots/live-writer.ts";
import { type GarbageScene, type Move, VOLUME } from "./garbage-scene.ts";
import {
  type Document,
  findDocument,
  type GarbageWorld,
  type Purpose,
  putDocument,
  putObject,
  spend,
  type Upload,
} from "./garbage-world.ts";
import { isAwaited } from "./report-moves.ts";

export const uploadMoves = (scene: GarbageScene): Move[] => [
  ...beginMoves(scene),
  ...scene.world.uploads.flatMap((upload) => goOn(scene, upload)),
];

const beginMoves = (scene: GarbageScene): Move[] => {
  const { world, uploadsMax } = scene;
  if (world.uploads.length >= uploadsMax) return [];
  return [...stepBegins(scene), ...liveBegins(scene)];
};

/** A message may come twice: two may be at the same step. */
const stepBegins = (scene: GarbageScene): Move[] => {
  const { record, world } = scene;
  const { deploy } = record;
  const volume = record.volumes[VOLUME];
  if (deploy === null || volume === undefined) return [];
  return deploy.phase.awaits.flatMap(({ step }) => {
    const kind = stepKind(step);
    const epoch = deploy.volumes[VOLUME]?.from?.epoch;
    if ((kind !== "copy" && kind !== "seal") || epoch === undefined) return [];
    const purpose: Purpose = { kind: "step", deployId: deploy.id, step };
    if (world.reports.some((report) => isAwaited(report, record))) return [];
    const parents = [
      ...volume.snapshots.map(({ id }) => id),
      ...(deploy.volumes[VOLUME]?.copies.map(({ snapshotId }) => snapshotId) ?? []),
    ];
    const work = { purpose, epoch, attempt: `${deploy.id}.${step}`, parents };
    return begin(scene, world, work);
  });
};

const liveBegins = (scene: GarbageScene): Move[] => {
  const { record, world } = scene;
  const volume = record.volumes[VOLUME];
  if (volume === undefined || liveWriter(record, VOLUME) === null || world.left.lives === 0) {
    return [];
  }
  const { epoch, sequence } = volume;
  const purpose: Purpose = { kind: "live", epoch, sequence };
  const parents = volume.snapshots.map(({ id }) => id);
  const work = { purpose, epoch, attempt: `live-${sequence}`, parents };
  return begin(scene, spend(world, "lives"), work);
};

interface Work {
  readonly purpose: Purpose;
  readonly epoch: number;
  readonly attempt: string;
  readonly parents: readonly string[];
}

/** On nothing, or on any snapshot that may be built upon. */
const begin = (scene: GarbageScene, world: GarbageWorld, work: Work): Move[] =>
  [null, ...new Set(work.parents)].flatMap((parent) => {
    const below = parent === null ? [] : findDocument(world, parent)?.objects;
    // Its index names a parent whose document the store does not have: the snapshot fails.
    if (below === undefined) return [];
    return foundObjects(scene, below).map((found): Move => {
      const document = write(scene, work, parent, found);
      const upload: Upload = { document, purpose: work.purpose, stored: "nothing" };
      const on = parent === null ? "nothing" : parent;
      const also = found.length > below.length ? `, and on ${found.at(-1)}` : "";
      return {
        label: `a snapshot begins: ${document.id} on ${on}${also}`,
        world: withUploads(world, [...world.uploads, upload]),
      };
    });
  });

/** What is referred to beside one's own. */
const foundObjects = ({ rules, world }: GarbageScene, below: readonly string[]): string[][] => [
  [...below],
  ...(rules.refersTo === "what is there"
    ? world.objects.filter((object) => !below.includes(object)).map((one) => [...below, one])
    : []),
];

const write = (
  { rules, token }: GarbageScene,
  { epoch, attempt, purpose }: Work,
  parent: string | null,
  found: readonly string[],
): Document => {
  const isFresh = rules.keys === "never used twice";
  const full = isFresh ? `${attempt}.${token}` : attempt;
  const what = attempt.replaceAll(".", "-");
  const prefix = purpose.kind === "live" ? `live-e${epoch}-${what.slice("live-".length)}` : what;
  return {
    id: `${prefix}-${token}`,
    parent,
    objects: [...found, `e${epoch}/${full}/p-0#${token}`].sort(),
    writer: { epoch, attempt: full },
  };
};

const goOn = ({ world }: GarbageScene, upload: Upload): Move[] => {
  const { document, purpose, stored } = upload;
  const rest = world.uploads.filter((other) => other !== upload);
  const moves: Move[] = [];
  const further = (next: GarbageWorld, more: Upload["stored"]) =>
    withUploads(next, [...rest, { ...upload, stored: more }]);
  if (stored === "nothing") {
    const own =
      document.objects.find((object) => object.endsWith(`#${tokenOf(document.id)}`)) ?? "";
    const next = further(putObject(world, own), "object");
    moves.push({ label: `${document.id}: its object is stored`, world: next });
  } else if (stored === "object") {
    const next = further(putDocument(world, document), "document");
    moves.push({ label: `${document.id}: its document is stored`, world: next });
  } else {
    const report = { snapshotId: document.id, purpose, found: null };
    const isStanding = world.reports.some(
      (other) => JSON.stringify(other.purpose) === JSON.stringify(purpose),
    );
    const reports = isStanding ? world.reports : [...world.reports, report];
    const next = withUploads({ ...world, reports }, rest);
    moves.push({ label: `${document.id} is reported`, world: next });
  }
  if (world.left.troubles > 0) {
    const next = withUploads(spend(world, "troubles"), rest);
    moves.push({ label: `whoever takes ${document.id} dies`, world: next });
  }
  return moves;
};

const tokenOf = (id: string): string => id.slice(id.lastIndexOf("-") + 1);

export const withUploads = (world: GarbageWorld, uploads: readonly Upload[]): GarbageWorld => ({
  ...world,
  uploads: [...uploads].sort((a, b) => (a.document.id < b.document.id ? -1 : 1)),
});
