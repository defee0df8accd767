/** The rules of publishing: one publisher at a time, and what its end means for what is there. */
import { changed, type Decision, type InputOf, refused, UNCHANGED } from "../deploy/messages.ts";
import type { VolumeName } from "../ids.ts";
import type { ProjectState, VolumeState } from "../record.ts";
import { mayPublish, owedPublication } from "./owed-publication.ts";
import { type Publication, UNPUBLISHED } from "./publication.ts";

type PublicationInput = InputOf<
  | "publication.claimed"
  | "publication.ended"
  | "publication.failed"
  | "publication.disturbed"
  | "publication.requested"
>;

export const decidePublication = (state: ProjectState, input: PublicationInput): Decision => {
  const volume = state.volumes[input.volume];
  if (volume === undefined) {
    return refused("unknown-volume", `no volume ${input.volume}`, "bagage volumes PROJECT");
  }
  switch (input.type) {
    case "publication.claimed":
      return claim(state, volume, input);
    case "publication.ended":
      return end(state, volume, input);
    case "publication.failed":
      return fail(state, volume, input);
    case "publication.disturbed":
      return disturb(state, volume, input.volume);
    case "publication.requested":
      return request(state, volume, input);
  }
};

/** Also a renewal, by the attempt that has the claim already. */
const claim = (
  state: ProjectState,
  volume: VolumeState,
  { volume: name, attempt, nowMs, untilMs }: InputOf<"publication.claimed">,
): Decision => {
  const owed = owedPublication(volume);
  const current = volume.publication ?? UNPUBLISHED;
  const isMine = current.claim?.attempt === attempt;
  if (owed === null || (!isMine && !mayPublish(state))) {
    return refused("nothing-to-publish", `volume ${name} has nothing to publish now`, "wait");
  }
  if (current.claim !== null && !isMine && nowMs < current.claim.untilMs) {
    return refused("publication-claimed", `volume ${name} is being published`, "wait");
  }
  const target = owed.kind === "publish" ? owed.target : current.target;
  return changed(
    withPublication(state, name, {
      ...current,
      target,
      claim: { attempt, untilMs },
      failure: null,
    }),
  );
};

const end = (
  state: ProjectState,
  volume: VolumeState,
  { volume: name, attempt, snapshotId }: InputOf<"publication.ended">,
): Decision => {
  const current = volume.publication ?? UNPUBLISHED;
  if (current.claim?.attempt !== attempt) return lostClaim(name);
  const data = { project: state.project, volume: name, snapshot: snapshotId };
  if (snapshotId === null) {
    return changed(withPublication(state, name, null), { type: "volume.withdrawn", data });
  }
  const done = { ...current, snapshotId, target: null, claim: null, failure: null };
  return changed(withPublication(state, name, done), { type: "volume.published", data });
};

const fail = (
  state: ProjectState,
  volume: VolumeState,
  { volume: name, attempt, reason, nowMs }: InputOf<"publication.failed">,
): Decision => {
  const current = volume.publication ?? UNPUBLISHED;
  if (current.claim?.attempt !== attempt) return lostClaim(name);
  const failure = { head: volume.head?.id ?? null, reason, atMs: nowMs };
  return changed(withPublication(state, name, { ...current, claim: null, failure }), {
    type: "volume.not-published",
    data: { project: state.project, volume: name, reason },
  });
};

/** A publisher that lost its turn may have written late: nobody knows what is there any more. */
const disturb = (state: ProjectState, volume: VolumeState, name: VolumeName): Decision => {
  const isKnown = volume.publication != null && volume.publication.snapshotId !== null;
  const isRunning = volume.publication?.target != null || volume.publication?.claim != null;
  return isKnown || isRunning ? changed(withPublication(state, name, anew(volume))) : UNCHANGED;
};

/** By hand: after a failure was mended, or to write everything anew. */
const request = (
  state: ProjectState,
  volume: VolumeState,
  { volume: name, full }: InputOf<"publication.requested">,
): Decision => {
  if (volume.settings.publish === undefined) {
    const hint = "say `publish: s3` in the project's file";
    return refused("not-published", `volume ${name} is not to be published`, hint);
  }
  if (full) return changed(withPublication(state, name, anew(volume)));
  const current = volume.publication ?? UNPUBLISHED;
  return current.failure === null
    ? UNCHANGED
    : changed(withPublication(state, name, { ...current, failure: null }));
};

const anew = ({ publication }: VolumeState): Publication => ({
  ...UNPUBLISHED,
  generation: (publication?.generation ?? 0) + 1,
});

const lostClaim = (name: VolumeName): Decision =>
  refused("claim-lost", `volume ${name} is being published by another`, "wait");

const withPublication = (
  state: ProjectState,
  name: VolumeName,
  publication: Publication | null,
): ProjectState => ({
  ...state,
  volumes: {
    ...state.volumes,
    [name]: { ...(state.volumes[name] as VolumeState), publication },
  },
});
