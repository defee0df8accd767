/** What a longer or a different run of the property tests is asked for with, from the environment. */
import { tmpdir } from "node:os";

/** How often a property is tried: PROPERTY_RUNS, or the number that suits every day. */
export const propertyRuns = (everyDay: number): number =>
  Number(process.env["PROPERTY_RUNS"] ?? everyDay);

/** Where scratch directories are made, and so the file system under test: VOLUME_TEST_ROOT. */
export const testRoot = (): string => process.env["VOLUME_TEST_ROOT"] ?? tmpdir();
