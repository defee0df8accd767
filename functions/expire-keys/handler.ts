/** Ends S3 keys that were replaced, when their time is over: by a schedule, like the sweep. */
import middy from "@middy/core";
import { expireKeys } from "../spaces/manage-keys.ts";
import type { SpacePorts } from "../spaces/space.ts";

export const createHandler = (spaces: SpacePorts) =>
  middy<object, { readonly removed: number }>().handler(async (_event, _context, { signal }) => ({
    removed: await expireKeys(spaces, signal),
  }));
