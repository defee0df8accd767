import { expect, test } from "vitest";
import { allEnded } from "./all-ended.ts";

test("it throws the first failure of all, after the last one has ended", async () => {
  const late = Promise.withResolvers<void>();
  let isOver = false;
  const all = allEnded([Promise.reject(new Error("one")), late.promise]).finally(() => {
    isOver = true;
  });
  all.catch(() => undefined);
  await Promise.resolve();
  expect(isOver).toBe(false);
  late.reject(new Error("two"));
  await expect(all).rejects.toThrow("one");
  await allEnded([Promise.resolve(1)]);
});
