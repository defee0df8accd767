import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type NodeDisk, openNodeDisk } from "../adapters/node-disk.ts";
import { DATA, lostInDrain, X } from "../workflows/deploy/given-deploys.ts";
import { Epoch, SnapshotId } from "../workflows/ids.ts";
import type { ProjectState, VolumeState } from "../workflows/record.ts";
import { keepGivenUp } from "./keep-given-up.ts";

const epoch = (n: number) => Epoch.parse(n);

let root: string;
let disk: NodeDisk;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bagage-given-up-"));
  disk = openNodeDisk(root);
});
afterEach(() => rmSync(root, { recursive: true }));

/** x, to which the volume has come back from the head, under a new epoch. */
const ownedAgain = (state: ProjectState): ProjectState => {
  const volume = state.volumes[DATA] as VolumeState;
  const snapshotId = SnapshotId.parse("head-snapshot");
  const back = { owner: X, epoch: epoch(7), origin: { kind: "snapshot", snapshotId } } as const;
  return { ...state, volumes: { ...state.volumes, [DATA]: { ...volume, ...back } } };
};
const makeCopy = (state: ProjectState, role: "sealed" | "live", n: number): void => {
  const path = join(disk.pathOf(state.project, DATA, role, epoch(n)), "data");
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "log"), `written under ${n}`);
};
const keep = (state: ProjectState) =>
  keepGivenUp({ disk, node: X, log: pino({ level: "silent" }) }, state);
const namesOf = async (state: ProjectState) =>
  (await disk.listCopies(state.project, DATA)).map(({ role, epoch: n }) => `${role}-e${n}`).sort();

// It waited there for the volume to move away, as a cache that could be dropped.
test("29: what a node sealed before it was given up is set aside, though it owns the volume again", async () => {
  const state = ownedAgain(lostInDrain);
  makeCopy(state, "sealed", 1);
  makeCopy(state, "live", 7);
  expect(await keep(state)).toBe(true);
  expect(await namesOf(state)).toEqual(["branch-e1", "live-e7"]);
  expect(await keep(state)).toBe(false);
});

test("29: what it seals after that is its own", async () => {
  const state = ownedAgain(lostInDrain);
  makeCopy(state, "sealed", 7);
  expect(await keep(state)).toBe(false);
  expect(await namesOf(state)).toEqual(["sealed-e7"]);
});
