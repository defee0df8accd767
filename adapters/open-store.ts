/** Opens the store that a configuration names: `file:/path`, or `s3://bucket` with its endpoints. */
import * as z from "zod";
import { TerminalError } from "../volume/errors.ts";
import type { ObjectStore } from "../volume/object-store.ts";
import { openDirectoryObjectStore } from "./directory-object-store.ts";
import { KeyFiles, type KeyPair, type LiveKeys, openKeyFiles } from "./live-keys.ts";
import { openS3ObjectStore } from "./s3-object-store.ts";

export const StoreConfig = z.strictObject({
  url: z.string(),
  endpoints: z.array(z.url()),
  region: z.string(),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  keyFiles: KeyFiles.optional(),
});
export type StoreConfig = z.infer<typeof StoreConfig>;

export interface StoreKeys {
  /** In place of those of the configuration. */
  readonly keys?: LiveKeys | undefined;
  readonly onKeys?: ((keys: KeyPair) => void) | undefined;
}

export const openStore = async (
  config: StoreConfig,
  { keys, onKeys }: StoreKeys = {},
): Promise<ObjectStore> => {
  if (config.url.startsWith("file:")) {
    const directory = config.url.slice("file:".length).replace(/^\/\//, "");
    return openDirectoryObjectStore({ directory });
  }
  const bucket = /^s3:\/\/([a-z0-9.-]+)\/?$/.exec(config.url)?.[1];
  if (bucket === undefined) {
    throw new TerminalError(`store ${config.url}: neither file:/path nor s3://bucket`, {
      code: "config-store",
      hint: "set BAGAGE_STORE",
    });
  }
  const { endpoints, region, accessKeyId, secretAccessKey } = config;
  if (endpoints.length === 0) {
    throw new TerminalError(`store ${config.url}: no gateway is named`, {
      code: "config-store",
      hint: "set BAGAGE_S3_ENDPOINT (AWS: https://s3.REGION.amazonaws.com)",
    });
  }
  const pair = { accessKeyId, secretAccessKey };
  const live = keys ?? openKeyFiles(pair, config.keyFiles, onKeys);
  return openS3ObjectStore({ endpoints, region, bucket, ...pair, liveKeys: live });
};
