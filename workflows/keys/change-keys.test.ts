import { expect, test } from "vitest";
import { decide } from "../deploy/decide.ts";
import { begin, given, one, running, start } from "../deploy/given-deploys.ts";
import { KeyId } from "../ids.ts";
import { ProjectState } from "../record.ts";

const id = (digit: string) => KeyId.parse(digit.repeat(16));
const wrapped = (key: string, by: string, box = "AAAA") => ({
  id: id(key),
  wrappedBy: id(by),
  box,
});
const added = (key: string, isCurrent: boolean) =>
  ({ type: "key.added", key: wrapped(key, "f"), isCurrent }) as const;

test("the first key is the current one, and a later one takes its place without taking it away", () => {
  const state = given(running, added("a", true), added("b", true), added("c", false));
  expect(state.encryption).toEqual({
    current: id("b"),
    keys: [wrapped("a", "f"), wrapped("b", "f"), wrapped("c", "f")],
  });
  expect(decide(state, added("b", true))).toEqual({ kind: "unchanged" });
});

test("the first key can't come in the middle of a deploy", () => {
  const copying = begin(start, "first", "a", one);
  expect(decide(copying, added("a", true))).toMatchObject({ code: "deploy-running" });
});

test("sealing ends with no key current and every key kept, and begins again with another key", () => {
  const off = given(running, added("a", true), { type: "sealing.ended" });
  expect(off.encryption).toEqual({ current: null, keys: [wrapped("a", "f")] });
  expect(given(off, added("b", false)).encryption?.current).toBeNull();
  expect(given(off, added("b", true)).encryption).toEqual({
    current: id("b"),
    keys: [wrapped("a", "f"), wrapped("b", "f")],
  });
  expect(decide(running, { type: "sealing.ended" })).toEqual({ kind: "unchanged" });
});

test("sealing can neither end nor begin again in the middle of a deploy", () => {
  const sealed = given(running, added("a", true));
  const copying = { ...begin(start, "first", "a", one), encryption: sealed.encryption };
  expect(decide(copying, { type: "sealing.ended" })).toMatchObject({ code: "deploy-running" });
  expect(decide(copying, added("b", true))).toMatchObject({ kind: "changed" });
  const off = { ...copying, encryption: { current: null, keys: [wrapped("a", "f")] } };
  expect(decide(off, added("b", true))).toMatchObject({ code: "deploy-running" });
});

test("keys wrapped anew replace themselves; none is added and none is lost", () => {
  const state = given(running, added("a", true), added("b", true));
  const keys = [wrapped("a", "e", "BBBB"), wrapped("d", "e")];
  expect(given(state, { type: "keys.rewrapped", keys }).encryption?.keys).toEqual([
    wrapped("a", "e", "BBBB"),
    wrapped("b", "f"),
  ]);
});

test("a record from before there were keys and snapshots outside deploys is read as it was meant", () => {
  const { encryption: _encryption, ...rest } = running;
  const volumes = Object.fromEntries(
    Object.entries(running.volumes).map(([name, volume]) => {
      const { sequence: _s, requests: _r, tries: _t, pins: _p, source: _o, ...old } = volume;
      return [name, old];
    }),
  );
  expect(ProjectState.parse({ ...rest, volumes })).toEqual(running);
});
