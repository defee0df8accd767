/** Keys of users of the lab's store, made and taken away as an operator does. */
import { randomBytes } from "node:crypto";
import type { AccessKey } from "../../adapters/s3-accounts.ts";
import type { Lab } from "../../infra/lab/connect-lab.ts";
import { requireStore } from "./spaces-scene.ts";

/** A further key of the user. */
export const createUserKey = async (
  lab: Lab,
  uid: string,
  signal: AbortSignal,
): Promise<AccessKey> => {
  const made = {
    accessKeyId: `key-${randomBytes(4).toString("hex")}`,
    secretAccessKey: `secret-${randomBytes(12).toString("hex")}`,
  };
  const names = ["--access-key", made.accessKeyId, "--secret-key", made.secretAccessKey];
  const create = ["key", "create", "--uid", uid, "--key-type", "s3", ...names];
  await requireStore(lab).radosgwAdmin(create, signal);
  return made;
};

export const removeUserKey = async (
  lab: Lab,
  uid: string,
  { accessKeyId }: AccessKey,
  signal: AbortSignal,
): Promise<void> => {
  const remove = ["key", "rm", "--uid", uid, "--key-type", "s3", "--access-key", accessKeyId];
  await requireStore(lab).radosgwAdmin(remove, signal);
};
