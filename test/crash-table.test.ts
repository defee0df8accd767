/** docs/crash-table.md is what the simulator finds; a changed outcome is seen before it is landed. */
import "./simulation/built-ins.ts";
import { expect, test } from "vitest";

const { makeCrashTable } = await import("./simulation/crash-table.ts");

const TIMEOUT_MS = 300_000;

test("16, 23: whoever is killed at whichever step, the outcome is the one in the table", {
  timeout: TIMEOUT_MS,
}, async () => {
  await expect(await makeCrashTable()).toMatchFileSnapshot("../docs/crash-table.md");
});
