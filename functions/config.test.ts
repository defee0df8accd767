/** What a wrong setting is told. */
import { expect, test } from "vitest";
import { readConfig } from "./config.ts";

test.for([
  ["BAGAGE_LEASE_S", "abc", "a whole number from 3 to 600"],
  ["BAGAGE_LEASE_S", "2.5e9", "a whole number from 3 to 600"],
  ["BAGAGE_NODE_DOOR_PORT", "4.5", "a whole number from 1 to 65535"],
  ["BAGAGE_SWEEP_S", "0", "a whole number from 1 to 3600"],
] as const)(
  "a wrong number names the setting, its value and what is allowed: %s=%s",
  ([name, value, allowed]) => {
    expect(() => readConfig({ [name]: value })).toThrow(`${name}=${value}: write ${allowed}`);
  },
);

test("a wrong secret is not repeated", () => {
  expect(() => readConfig({ BAGAGE_KEY: "hush" })).toThrow(/^BAGAGE_KEY: 32 bytes/);
});
