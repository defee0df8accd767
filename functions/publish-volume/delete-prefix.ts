import type { S3Bucket } from "../../adapters/s3-bucket.ts";
import type { Turn } from "./publish-turn.ts";

const DELETE_KEYS_MAX = 1_000;

/** Everything below the prefix, some at a time. */
export const deletePrefix = async (
  bucket: S3Bucket,
  prefix: string,
  turn: Pick<Turn, "renew">,
  signal: AbortSignal,
): Promise<number> => {
  let keys: string[] = [];
  let deleted = 0;
  const flush = async (): Promise<void> => {
    if (keys.length > 0) await bucket.delete(keys, signal);
    deleted += keys.length;
    keys = [];
    await turn.renew(signal);
  };
  for await (const { key } of bucket.list(prefix, signal)) {
    if (keys.push(key) >= DELETE_KEYS_MAX) await flush();
  }
  await flush();
  return deleted;
};
