/** Requests that are overtaken, refused or cancelled: each ends by itself, and none for another. */
import { expect, test } from "vitest";
import { DeployId } from "../ids.ts";
import { decide } from "./decide.ts";
import { begin, given, NOW, request, running, two, until, WEB, X } from "./given-deploys.ts";

test("14: a request that is overtaken before it is planned ends as superseded, with a reason", () => {
  const asked = given(running, request("second"), request("third"));
  expect(asked.desired?.requestId).toBe("third");
  expect(asked.history.at(-1)).toMatchObject({
    ...{ requestId: "second", result: "superseded", reason: "by request third" },
  });
});

test("14: what git says of one request, and a cancellation of another, leave the wanted one alone", () => {
  const asked = given(running, request("second"), request("third"));
  const refusal = { requestId: "second", commit: null, reason: "gone", nowMs: NOW };
  expect(decide(asked, { type: "deploy.unresolvable", ...refusal })).toEqual({ kind: "unchanged" });
  const copying = begin(running, "second", "b", two);
  for (const state of [asked, copying]) {
    const cancelled = { deployId: DeployId.parse("deploy-first"), nowMs: NOW };
    expect(decide(state, { type: "deploy.cancelled", ...cancelled })).toEqual({
      kind: "unchanged",
    });
  }
});

test("a cancelled drain leaves the old container under the drain's epoch, which its node may start", () => {
  const draining = until(begin(running, "second", "b", two), "draining");
  const { epochCounter } = draining;
  const deployId = DeployId.parse("deploy-second");
  const back = given(draining, { type: "deploy.cancelled", deployId, nowMs: NOW });
  expect(back.containers[WEB]).toMatchObject({ node: X, epoch: epochCounter });
});
