import { expect, test } from "vitest";
import { Epoch } from "../ids.ts";
import type { Origin } from "../record.ts";
import { findOwnCopy, isOwnEpoch, type NamedCopy } from "./own-copy.ts";

const epoch = (n: number) => Epoch.parse(n);
const copy = (role: NamedCopy["role"], n: number): NamedCopy => ({ role, epoch: epoch(n) });
const local = (n: number): Origin => ({ kind: "local", epoch: epoch(n) });

test("the directory of the epoch itself comes first", () => {
  const owned = { epoch: epoch(3), origin: local(1) };
  expect(findOwnCopy([copy("live", 1), copy("live", 3)], owned)).toEqual(copy("live", 3));
});

test("after aborted drains it is the newest of their epochs, live or sealed", () => {
  const owned = { epoch: epoch(4), origin: local(1) };
  expect(findOwnCopy([copy("live", 1)], owned)).toEqual(copy("live", 1));
  expect(findOwnCopy([copy("sealed", 2)], owned)).toEqual(copy("sealed", 2));
});

test("a sealed copy of the very epoch is the seal's own result, and not what is to be sealed", () => {
  const owned = { epoch: epoch(3), origin: local(1) };
  expect(findOwnCopy([copy("sealed", 3), copy("live", 2)], owned)).toEqual(copy("live", 2));
  expect(findOwnCopy([copy("sealed", 3)], owned)).toBeUndefined();
});

test("branches, staging, caches of before and copies from elsewhere are nobody's own", () => {
  const owned = { epoch: epoch(4), origin: local(2) };
  const others = [copy("branch", 3), copy("staging", 0), copy("sealed", 1), copy("live", 5)];
  expect(findOwnCopy(others, owned)).toBeUndefined();
  expect(findOwnCopy([copy("live", 3)], { epoch: epoch(4), origin: { kind: "empty" } })).toBe(
    undefined,
  );
  expect(isOwnEpoch(owned, epoch(1))).toBe(false);
  expect(isOwnEpoch(owned, epoch(2))).toBe(true);
});
