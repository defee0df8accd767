/** A project's data keys, as the record holds them: wrapped. A key is never taken away. */
import { changed, type Decision, type InputOf, refused, UNCHANGED } from "../deploy/messages.ts";
import type { ProjectState } from "../record.ts";
import type { Encryption } from "./encryption.ts";

export const changeKeys = (
  state: ProjectState,
  input: InputOf<"key.added"> | InputOf<"keys.rewrapped"> | InputOf<"sealing.ended">,
): Decision => {
  const { encryption, project } = state;
  if (input.type === "keys.rewrapped") {
    if (encryption === null) return UNCHANGED;
    const keys = encryption.keys.map((key) => input.keys.find(({ id }) => id === key.id) ?? key);
    return save(state, { ...encryption, keys });
  }
  const isSealing = encryption !== null && encryption.current !== null;
  const willSeal =
    input.type === "key.added" && (isSealing || encryption === null || input.isCurrent);
  if (isSealing !== willSeal && state.deploy !== null) {
    // Its final snapshot could not be a delta on what it copied sealed otherwise: a long pause.
    const message = `project ${project} is being deployed`;
    return refused("deploy-running", message, "wait for its end: every object is stored anew then");
  }
  if (input.type === "sealing.ended") {
    return encryption === null ? UNCHANGED : save(state, { ...encryption, current: null });
  }
  const { key, isCurrent } = input;
  const known = encryption?.keys ?? [];
  const keys = known.some(({ id }) => id === key.id) ? known : [...known, key];
  const current = isCurrent || encryption === null ? key.id : encryption.current;
  return save(state, { current, keys });
};

const save = (state: ProjectState, encryption: Encryption): Decision => {
  if (JSON.stringify(encryption) === JSON.stringify(state.encryption)) return UNCHANGED;
  const data = {
    project: state.project,
    current: encryption.current,
    wrappedBy: [...new Set(encryption.keys.map(({ wrappedBy }) => wrappedBy))],
  };
  return changed({ ...state, encryption }, { type: "keys.changed", data });
};
