import { expect, test } from "vitest";
import { isPlaceWithin, parseMountTable, placeOf } from "./mount-table.ts";

const HOST = parseMountTable(
  [
    "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw",
    "30 22 8:2 / /srv rw - xfs /dev/sdb rw",
    "31 30 8:2 /a\\040b /srv/with\\040space rw - xfs /dev/sdb rw",
  ].join("\n"),
);
/** As a container sees it that mounts the host's /srv/shop/data on /var/lib/data. */
const CONTAINER = parseMountTable(
  [
    "90 80 0:50 / / rw - overlay overlay rw",
    "91 90 8:2 /shop/data /var/lib/data rw - xfs /dev/sdb rw",
  ].join("\n"),
);

test("one file has one place, whichever namespace names it", () => {
  const host = placeOf(HOST, "/srv/shop/data/db/x.sqlite");
  expect(host).toEqual({ device: "8:2", path: "/shop/data/db/x.sqlite" });
  expect(placeOf(CONTAINER, "/var/lib/data/db/x.sqlite")).toEqual(host);
});

test("the nearest mount decides, and escapes are undone", () => {
  expect(placeOf(HOST, "/srv")).toEqual({ device: "8:2", path: "/" });
  expect(placeOf(HOST, "/srvx")).toEqual({ device: "8:1", path: "/srvx" });
  expect(placeOf(HOST, "/srv/with space/c")).toEqual({ device: "8:2", path: "/a b/c" });
  expect(placeOf([], "/srv")).toBeNull();
  expect(placeOf(HOST, "socket:[1]")).toEqual(null);
});

test("within means below it or itself, on the same file system", () => {
  const directory = { device: "8:2", path: "/shop/data" };
  expect(isPlaceWithin({ device: "8:2", path: "/shop/data" }, directory)).toBe(true);
  expect(isPlaceWithin({ device: "8:2", path: "/shop/data/x (deleted)" }, directory)).toBe(true);
  expect(isPlaceWithin({ device: "8:2", path: "/shop/data2" }, directory)).toBe(false);
  expect(isPlaceWithin({ device: "8:1", path: "/shop/data/x" }, directory)).toBe(false);
});
