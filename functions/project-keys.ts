/**
 * Keys of projects. A data key seals a project's data and stands in its record, wrapped under a wrapping
 * key, which stands nowhere but in the environment, or a file that it names. Neither is ever logged.
 */
import { createHash, randomBytes } from "node:crypto";
import { type Live, openSecretFile, unchanging } from "../adapters/live-keys.ts";
import { TerminalError } from "../volume/errors.ts";
import { type DataKey, type DataKeys, NO_KEYS, seal, unseal } from "../volume/sealing.ts";
import { KeyId, type ProjectId } from "../workflows/ids.ts";
import type { WrappedKey } from "../workflows/keys/encryption.ts";
import type { ProjectState } from "../workflows/record.ts";
import type { Config } from "./config.ts";

/** The first one wraps; all of them unwrap, so that one can take another's place. */
export type WrappingKeys = readonly (DataKey & { readonly id: KeyId })[];

export const KEY_BYTES = 32;
const ID_DIGITS = 16;

const idOf = (kind: "data key" | "wrapping key", secret: Uint8Array): KeyId =>
  KeyId.parse(
    createHash("sha256")
      .update(`bagage ${kind}\n`)
      .update(secret)
      .digest("hex")
      .slice(0, ID_DIGITS),
  );

/** 64 hex digits or base64 of 32 bytes, several by comma. Null: it is neither. */
export const parseWrappingKeys = (text: string): WrappingKeys | null => {
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const secrets = parts.map((part) =>
    Buffer.from(part, /^[0-9a-f]{64}$/i.test(part) ? "hex" : "base64"),
  );
  if (secrets.some(({ length }) => length !== KEY_BYTES)) return null;
  return secrets.map((secret) => ({ id: idOf("wrapping key", secret), secret }));
};

/** Those of a process that goes on while they are replaced. */
export type LiveWrappingKeys = Live<WrappingKeys>;

export const openWrappingKeys = (
  { wrappingKeys, wrappingKeyFile }: Pick<Config, "wrappingKeys" | "wrappingKeyFile">,
  onNew?: (keys: WrappingKeys) => void,
): LiveWrappingKeys => {
  if (wrappingKeyFile === null) return unchanging(wrappingKeys);
  const parse = (text: string): WrappingKeys => {
    const keys = parseWrappingKeys(text);
    if (keys === null) throw new Error(`${wrappingKeyFile} holds no keys`);
    return keys;
  };
  return openSecretFile(wrappingKeys, wrappingKeyFile, parse, onNew);
};

/** How a key may turn up in a text, so that it can be kept out of logs. */
export const writingsOf = ({ secret }: DataKey): string[] =>
  (["hex", "base64", "base64url"] as const).map((form) => Buffer.from(secret).toString(form));

export const newDataKey = (): DataKey & { readonly id: KeyId } => {
  const secret = randomBytes(KEY_BYTES);
  return { id: idOf("data key", secret), secret };
};

const placeOf = (project: ProjectId, id: string): string => `data key ${project} ${id}`;

/** Under the first wrapping key. Throws TerminalError when there is none. */
export const wrapKey = (
  wrapping: WrappingKeys,
  project: ProjectId,
  key: DataKey & { readonly id: KeyId },
): WrappedKey => {
  const [first] = wrapping;
  if (first === undefined) {
    throw new TerminalError("there is no key to wrap a project's keys with", {
      code: "key-missing",
      hint: "make one with `bagage key generate`, and set BAGAGE_KEY_FILE to the file with it",
    });
  }
  const box = seal(first, placeOf(project, key.id), key.secret).toString("base64");
  return { id: key.id, wrappedBy: first.id, box };
};

/**
 * The project's data keys. One that is wrapped under a key that is not at hand is left out, unless it is
 * the current one: then TerminalError `key-missing` names the key.
 */
export const unwrapKeys = (
  wrapping: WrappingKeys,
  { project, encryption }: Pick<ProjectState, "project" | "encryption">,
): DataKeys => {
  if (encryption === null) return NO_KEYS;
  const keys = encryption.keys.flatMap(({ id, wrappedBy, box }) => {
    const isAtHand = wrapping.some((known) => known.id === wrappedBy);
    if (!isAtHand && id === encryption.current) throw missing(project, wrappedBy);
    if (!isAtHand) return [];
    const known = { current: null, keys: wrapping };
    return [{ id, secret: unseal(known, placeOf(project, id), Buffer.from(box, "base64")) }];
  });
  return { current: encryption.current, keys };
};

/** As `unwrapKeys`; a wrapping key that is not at hand is looked for once more. */
export const openProjectKeys = async (
  wrapping: LiveWrappingKeys,
  state: Pick<ProjectState, "project" | "encryption">,
): Promise<DataKeys> => {
  try {
    return unwrapKeys(await wrapping.current(), state);
  } catch (error) {
    if (!(error instanceof TerminalError) || error.code !== "key-missing") throw error;
    await wrapping.refresh();
    return unwrapKeys(await wrapping.current(), state);
  }
};

/** All of the project's keys under the first wrapping key. Throws TerminalError where one can't be opened. */
export const rewrapKeys = (
  wrapping: WrappingKeys,
  { project, encryption }: Pick<ProjectState, "project" | "encryption">,
): WrappedKey[] => {
  if (encryption === null) {
    throw new TerminalError(`project ${project} has no key`, {
      code: "key-missing",
      hint: `bagage key init ${project}`,
    });
  }
  return encryption.keys.map((key) => {
    const single = { project, encryption: { current: key.id, keys: [key] } };
    const [opened] = unwrapKeys(wrapping, single).keys;
    if (opened === undefined) throw missing(project, key.wrappedBy);
    return wrapKey(wrapping, project, { ...opened, id: key.id });
  });
};

const missing = (project: ProjectId, id: string): TerminalError =>
  new TerminalError(`project ${project} is sealed, and wrapping key ${id} is not at hand`, {
    code: "key-missing",
    hint: "set BAGAGE_KEY, or BAGAGE_KEY_FILE to the path of a file with it",
  });
