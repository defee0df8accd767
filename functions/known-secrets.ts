/** The secrets that a process holds, so that its log can be kept free of them. */
import type { KeyPair } from "../adapters/live-keys.ts";
import type { Config } from "./config.ts";
import { type WrappingKeys, writingsOf } from "./project-keys.ts";

export interface KnownSecrets {
  readonly list: () => string[];
  readonly addKeys: (keys: KeyPair) => void;
  readonly addWrappingKeys: (keys: WrappingKeys) => void;
}

/** Those that it began with, and each that took the place of one. */
export const createKnownSecrets = ({
  store,
  collector,
  sqs,
  spaces,
  wrappingKeys,
}: Config): KnownSecrets => {
  const known = new Set<string>();
  const addKeys = ({ secretAccessKey }: KeyPair): void => {
    if (secretAccessKey !== "") known.add(secretAccessKey);
  };
  const addWrappingKeys = (keys: WrappingKeys): void => {
    for (const writing of keys.flatMap(writingsOf)) known.add(writing);
  };
  for (const pair of [store, collector, sqs.credentials, spaces.admin, spaces.publisher]) {
    if (pair !== null && pair !== undefined) addKeys(pair);
  }
  addWrappingKeys(wrappingKeys);
  return { list: () => [...known], addKeys, addWrappingKeys };
};
