/** What is said when a queue is refused. */
import { expect, test } from "vitest";
import { callSqs } from "./sqs-errors.ts";

test("missing credentials name the settings that give them", async () => {
  const failure = Object.assign(new Error("Could not load credentials from any providers"), {
    name: "CredentialsProviderError",
  });
  const call = callSqs("find queue", AbortSignal.timeout(60_000), () => Promise.reject(failure));
  await expect(call).rejects.toMatchObject({
    code: "queue-denied",
    hint: expect.stringMatching(/BAGAGE_SQS_ACCESS_KEY and BAGAGE_SQS_SECRET_KEY/),
  });
});
