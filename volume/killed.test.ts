/**
 * A real process, killed by SIGKILL at a sample of its steps. All of them: npm run fidelity -- --kills.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkKills, KILL_OPERATIONS } from "../test/kills/check-kills.ts";

/** Some steps of each: every one of them is too much for every day. */
const EVERY = { snapshot: 11, hydrate: 19, "hydrate afresh": 41, collect: 3 } as const;

let scratch = "";
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "bagage-kills-"));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test.for(KILL_OPERATIONS)(
  "a killed %s leaves all whole, and the next run goes on",
  {
    timeout: 180_000,
  },
  async (operation) => {
    expect(await checkKills(operation, { every: EVERY[operation], scratch })).toBeGreaterThan(1);
  },
);
