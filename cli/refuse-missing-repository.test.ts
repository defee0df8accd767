import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { refuseMissingRepository } from "./refuse-missing-repository.ts";

test.for(["/none/here.git", "file:///none/here.git"])("a missing path is named: %s", (url) => {
  expect(() => refuseMissingRepository(url)).toThrow("there is no repository at /none/here.git");
});

test.for([
  tmpdir(),
  `file://${tmpdir()}`,
  "https://unreachable.invalid/a.git",
  "git@h.invalid:a.git",
])("what is there, or elsewhere, is taken: %s", (url) => {
  expect(() => refuseMissingRepository(url)).not.toThrow();
});
