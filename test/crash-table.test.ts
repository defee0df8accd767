/** docs/crash-table.md is what the simulator finds; a changed outcome is seen before it is landed. */
import "./simulation/built-ins.ts";
import { expect, test } from "vitest";

const { makeCrashTable } = await import("./simulation/crash-table.ts");

test("16, 23: whoever is killed at whichever step, the outcome is the one in the table", async () => {
  await expect(await makeCrashTable()).toMatchFileSnapshot("../docs/crash-table.md");
});
