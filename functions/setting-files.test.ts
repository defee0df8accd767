/** Settings that would be misread in silence. */
import { expect, test } from "vitest";
import { ConfigError, refuseHalfPairs } from "./setting-files.ts";

/** A collector's lone access key once meant that the store's own key deleted. */
test.for([
  { BAGAGE_COLLECTOR_ACCESS_KEY: "a" },
  { BAGAGE_SQS_SECRET_KEY: "s", BAGAGE_SQS_ACCESS_KEY: "" },
])("half a pair of keys is refused, and the other half named: %o", (values) => {
  expect(() => refuseHalfPairs(values)).toThrow(ConfigError);
  expect(() => refuseHalfPairs(values)).toThrow(/_KEY is set, and BAGAGE_\w+_KEY is not/);
});

test("whole pairs and none at all are taken", () => {
  refuseHalfPairs({
    BAGAGE_S3_ACCESS_KEY: "a",
    BAGAGE_S3_SECRET_KEY: "s",
    BAGAGE_SQS_SECRET_KEY: "",
  });
});
