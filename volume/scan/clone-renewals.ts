/**
 * The clones that are brought up to their files at the end of a snapshot: not before it is stored, so
 * that one that fails leaves the next one the clones to compare with.
 */
import { closeSync, openSync } from "node:fs";
import type { FileRange } from "../file-system.ts";
import type { FileIdentity } from "../local-index.ts";
import type { Clones } from "./clones.ts";
import { identityOf, sameIdentity } from "./file-identity.ts";

export interface Renewal {
  /** Of the file; it may be closed after `add`. */
  readonly fd: number;
  readonly identity: FileIdentity;
  readonly from: string;
  readonly to: string;
  readonly ranges: readonly FileRange[];
}

export interface Renewals {
  /** False: there are too many already. */
  add(renewal: Renewal): boolean;
  /** Once, or never. Of a file that was written to meanwhile the clone is gone. */
  perform(clones: Clones): void;
  close(): void;
}

/** Each holds a file open. */
const RENEWALS_MAX = 64;

export const openRenewals = (): Renewals => {
  const pending: Renewal[] = [];
  return {
    add: (renewal) => {
      if (pending.length >= RENEWALS_MAX) return false;
      pending.push({ ...renewal, fd: openSync(`/proc/self/fd/${renewal.fd}`, "r") });
      return true;
    },
    perform: (clones) => {
      for (const { fd, identity, from, to, ranges } of pending) {
        if (!sameIdentity(identity, identityOf(fd))) continue;
        if (clones.renew(from, to, fd, ranges)) clones.keep(to);
      }
    },
    close: () => {
      for (const { fd } of pending.splice(0)) closeSync(fd);
    },
  };
};
