/** What is said of a store that can't be opened. */
import { expect, test } from "vitest";
import { openStore } from "./open-store.ts";

const config = { url: "s3://b", endpoints: [], region: "", accessKeyId: "", secretAccessKey: "" };

/** The first request once failed with a TypeError. */
test("an S3 store without a gateway is a wrong setting", async () => {
  await expect(openStore(config)).rejects.toMatchObject({
    code: "config-store",
    hint: expect.stringContaining("BAGAGE_S3_ENDPOINT"),
  });
});
