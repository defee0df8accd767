/** What a push makes move. */
import { expect, test } from "vitest";
import type { ContainerName } from "../ids.ts";
import { begin, projectOf, spec, start, until, WEB, X } from "./given-deploys.ts";

test("containers that share a volume move together, though one alone has changed", () => {
  const JOBS = "jobs" as ContainerName;
  const both = (image: string) => projectOf({ [WEB]: spec(image, X), [JOBS]: spec("jobs", X) });
  const first = until(begin(start, "first", "a", both("one")), null);
  const begun = begin(first, "second", "b", both("two"));
  expect(Object.keys(begun.deploy?.containers ?? {}).sort()).toEqual([JOBS, WEB]);
});
