import { expect, test } from "vitest";
import type { S3Bucket } from "../../adapters/s3-bucket.ts";
import { copyObjects } from "./copy-objects.ts";

test("a prefix without objects is named, with a remedy", async () => {
  const from = { name: "b", list: async function* () {} } as unknown as S3Bucket;
  const request = { from, fromPrefix: "p/", to: from, toPrefix: "q/", onProgress: () => {} };
  await expect(copyObjects(request, AbortSignal.timeout(60_000))).rejects.toMatchObject({
    message: "s3://b/p/ has no objects",
    hint: expect.stringContaining("check the bucket and the prefix"),
  });
});
