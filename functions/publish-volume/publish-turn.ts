/** A publisher's turn: taken and kept by a claim in the record, so that one writes at a time. */
import { TerminalError } from "../../volume/errors.ts";
import type { ProjectId, VolumeName } from "../../workflows/ids.ts";
import { type OwedPublication, owedPublication } from "../../workflows/publish/owed-publication.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { advanceProject } from "../advance-deploy/advance-project.ts";
import type { ControlPorts } from "../control-ports.ts";
import type { LiveWrappingKeys } from "../project-keys.ts";
import type { SpacePorts } from "../spaces/space.ts";

export interface PublishPorts extends ControlPorts {
  /** To what is sealed in the store; in the bucket files are plain. */
  readonly wrappingKeys: LiveWrappingKeys;
  readonly spaces: SpacePorts;
}

/** Longer than any request of a publisher can be on its way. */
const CLAIM_MS = 300_000;
/** A claim is renewed when a third of it is over. */
const RENEW_AFTER_MS = CLAIM_MS / 3;

export interface Turn {
  readonly project: ProjectId;
  readonly volume: VolumeName;
  readonly attempt: string;
  /** Throws when another publisher took over: nothing may be written from then on. */
  renew(signal: AbortSignal): Promise<void>;
}

type Identity = Pick<Turn, "project" | "volume" | "attempt">;

const claimInput = (ports: PublishPorts, { volume, attempt }: Identity) => {
  const nowMs = ports.nowMs();
  const claimed = { type: "publication.claimed", volume, attempt } as const;
  return { ...claimed, nowMs, untilMs: nowMs + CLAIM_MS };
};

/** Null: nothing is owed, or another one is at it. */
export const claimTurn = async (
  ports: PublishPorts,
  identity: Identity,
  signal: AbortSignal,
): Promise<{ readonly owed: OwedPublication; readonly state: ProjectState } | null> => {
  const { project, volume } = identity;
  const input = claimInput(ports, identity);
  const { state, refusal } = await advanceProject(ports, { project, input, resend: false }, signal);
  const claimed = state.volumes[volume];
  const owed = refusal !== null || claimed === undefined ? null : owedPublication(claimed);
  return owed === null ? null : { owed, state };
};

export const openTurn = (ports: PublishPorts, identity: Identity): Turn => {
  let renewedAtMs = ports.nowMs();
  const { project, volume } = identity;
  return {
    ...identity,
    renew: async (signal) => {
      const nowMs = ports.nowMs();
      if (nowMs - renewedAtMs < RENEW_AFTER_MS) return;
      const input = claimInput(ports, identity);
      const isOver = nowMs - renewedAtMs >= CLAIM_MS;
      const request = { project, input, resend: false };
      const { refusal } = isOver
        ? { refusal: { code: "claim-lost" } }
        : await advanceProject(ports, request, signal);
      if (refusal !== null) {
        const disturbed = { type: "publication.disturbed", volume } as const;
        await advanceProject(ports, { project, input: disturbed, resend: false }, signal);
        throw new TerminalError(`another publisher of ${volume} took over`, { code: "claim-lost" });
      }
      renewedAtMs = nowMs;
    },
  };
};
