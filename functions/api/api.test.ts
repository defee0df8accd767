/** The API as its callers see it, over the control functions and a memory store. */
import { readFileSync } from "node:fs";
import type { APIGatewayProxyEventV2, Context } from "aws-lambda";
import { beforeEach, expect, test } from "vitest";
import * as z from "zod";
import { ProjectId } from "../../workflows/ids.ts";
import {
  A,
  type ControlWorld,
  openControlWorld,
  project,
} from "../advance-deploy/control-world.fixture.ts";
import { sweep } from "../sweep/sweep.ts";
import { createHandler } from "./handler.ts";
import { renderOpenApi } from "./openapi.ts";
import { createToken, revokeToken } from "./tokens.ts";

const signal = new AbortController().signal;
let world: ControlWorld;
let token: string;
let operator: string;
/** What happens while the API waits. */
let meanwhile: () => Promise<unknown>;

beforeEach(async () => {
  world = await openControlWorld();
  const { store } = world.ports;
  meanwhile = async () => undefined;
  token = await createToken(store, { name: "ci", project, createdAtMs: 0 }, signal);
  operator = await createToken(store, { name: "ops", project: null, createdAtMs: 0 }, signal);
});

interface Asked {
  readonly secret?: string | null;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

const ask = async (method: string, path: string, { secret, body, headers }: Asked = {}) => {
  const [rawPath = "", query = ""] = path.split("?");
  const bearer = secret === null ? {} : { authorization: `Bearer ${secret ?? token}` };
  let nowMs = world.ports.nowMs();
  const ports = {
    ...world.ports,
    nowMs: () => nowMs,
    sleep: async (ms: number) => {
      nowMs += ms;
      await meanwhile();
    },
  };
  const { statusCode, ...answer } = await createHandler(ports)(
    {
      version: "2.0",
      rawPath,
      headers: { ...bearer, ...headers },
      requestContext: { http: { method, path: rawPath }, requestId: "1" },
      ...(query !== "" && {
        queryStringParameters: Object.fromEntries(new URLSearchParams(query)),
      }),
      ...(body !== undefined && { body }),
      isBase64Encoded: false,
    } as APIGatewayProxyEventV2,
    { getRemainingTimeInMillis: () => 30_000 } as Context,
  );
  return { status: statusCode, text: answer.body ?? "", headers: answer.headers };
};
const json = async (method: string, path: string, asked: Asked = {}) => {
  const { status, text } = await ask(method, path, asked);
  return { status, body: JSON.parse(text) };
};
const deployOnce = async () => {
  for (let i = 0; i < 5; i += 1) {
    for (const step of world.takeSteps()) await world.answer(step);
    await world.advance();
  }
};

test("a deploy is asked for, followed and read; the same id asks once", async () => {
  const order = { body: JSON.stringify({ id: "build-1", force: true }) };
  const asked = await json("POST", "/v1/projects/p/deploys", order);
  expect(asked).toMatchObject({ status: 202, body: { requestId: "api.build-1" } });
  expect(await json("POST", "/v1/projects/p/deploys", order)).toEqual(asked);
  await sweep(world.ports, signal);
  await world.advance("api.build-1");
  const { deployId } = asked.body;
  const path = `/v1/projects/p/deploys/${deployId}`;
  expect(await json("GET", path)).toMatchObject({ body: { id: deployId, phase: "copying" } });
  await deployOnce();
  expect(await json("GET", path)).toMatchObject({ body: { id: deployId, result: "deployed" } });
  expect(await json("GET", "/v1/projects/p")).toMatchObject({
    body: { commit: A, deploy: null, lastDeploy: { result: "deployed" } },
  });
  const listed = await json("GET", "/v1/projects/p/deploys");
  expect(listed.body).toHaveLength(1);
});

test("a running deploy is cancelled; one past its seal is not, with the reason", async () => {
  await world.request("one");
  await world.advance("one");
  const { deploy } = await world.state();
  const path = `/v1/projects/p/deploys/${deploy?.id}`;
  expect(await json("DELETE", path)).toMatchObject({ status: 202 });
  expect(await json("GET", path)).toMatchObject({ body: { result: "cancelled" } });
  expect(await json("DELETE", path)).toMatchObject({ status: 409, body: { title: "ended" } });
  expect((await ask("DELETE", "/v1/projects/p/deploys/000000000000")).status).toBe(404);
  await world.request("two");
  await world.advance("two");
  for (const step of world.takeSteps()) await world.answer(step);
  await world.advance();
  const second = (await world.state()).deploy;
  expect(second?.phase.name).toBe("starting");
  expect(await json("DELETE", `/v1/projects/p/deploys/${second?.id}`)).toMatchObject({
    status: 409,
    body: { title: "past-seal" },
  });
});

test("events are told from after the last one that the reader has, and waited for", async () => {
  await world.request("one");
  await world.advance("one");
  await deployOnce();
  const all = await ask("GET", "/v1/projects/p/events?after=p/0/0");
  expect(all.headers?.["content-type"]).toBe("text/event-stream");
  const ids = [...all.text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id ?? "");
  expect(all.text).toContain("event: bagage.deploy.ended");
  const rest = await ask("GET", "/v1/projects/p/events", {
    headers: { "last-event-id": ids[2] ?? "" },
  });
  expect([...rest.text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id)).toEqual(ids.slice(3));
  let isAsked = false;
  meanwhile = async () => {
    if (isAsked) return;
    isAsked = true;
    await world.request("two");
    await world.advance("two");
  };
  expect((await ask("GET", "/v1/projects/p/events")).text).toContain("bagage.deploy.ended");
  meanwhile = async () => undefined;
  expect((await ask("GET", "/v1/projects/p/events")).text).toBe("retry: 250\n\n");
});

test("52: a token opens its own project alone, another one looks like none at all", async () => {
  const other = ProjectId.parse("other");
  const theirs = await createToken(
    world.ports.store,
    { name: "theirs", project: other, createdAtMs: 0 },
    signal,
  );
  const foreign = await ask("GET", "/v1/projects/p", { secret: theirs });
  expect(foreign.status).toBe(404);
  expect(foreign.text).toBe((await ask("GET", "/v1/projects/nobody", { secret: theirs })).text);
  for (const [method, path] of [
    ["POST", "/v1/projects/p/deploys"],
    ["DELETE", "/v1/projects/p/deploys/x"],
    ["POST", "/v1/projects/p/snapshots"],
    ["GET", "/v1/projects/p/volumes"],
    ["GET", "/v1/projects/p/events"],
  ] as const) {
    expect((await ask(method, path, { secret: theirs })).status).toBe(404);
  }
  expect((await ask("GET", "/v1/nodes")).status).toBe(403);
  expect(await json("GET", "/v1/nodes", { secret: operator })).toMatchObject({
    status: 200,
    body: [{ node: "x" }],
  });
  expect((await ask("GET", "/v1/projects/p", { secret: operator })).status).toBe(200);
});

test("nodes are shown without what only other nodes and the placement need", async () => {
  const { body } = await json("GET", "/v1/nodes", { secret: operator });
  const [node] = z.array(z.record(z.string(), z.unknown())).parse(body);
  expect(node).toMatchObject({ node: "x", heartbeatAtMs: expect.any(Number), cordoned: false });
  for (const field of ["bootId", "warm", "ports", "projects"])
    expect(node).not.toHaveProperty(field);
});

test("no token, a wrong one and a revoked one are refused alike", async () => {
  const refused = await ask("GET", "/v1/projects/p", { secret: null });
  expect(refused).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" } });
  expect(await ask("GET", "/v1/projects/p", { secret: "bagage_wrong" })).toEqual(refused);
  await revokeToken(world.ports.store, "ci", signal);
  expect(await ask("GET", "/v1/projects/p")).toEqual(refused);
  const stored: string[] = [];
  for (const key of await world.listed("tokens/")) {
    stored.push(key, Buffer.from((await world.ports.store.get(key, signal)) ?? []).toString());
  }
  expect(stored.join("\n")).not.toContain(operator);
});

test("a body or path that does not fit is told where, and changes nothing", async () => {
  const before = await world.listed("");
  const wrong = await json("POST", "/v1/projects/p/deploys", { body: '{"force":"yes"}' });
  expect(wrong).toMatchObject({ status: 422, body: { detail: expect.stringContaining("force") } });
  expect(await json("POST", "/v1/projects/p/deploys", { body: "{" })).toMatchObject({
    status: 400,
    body: { title: "not-json" },
  });
  const large = `{"id":"${"x".repeat(70_000)}"}`;
  expect((await ask("POST", "/v1/projects/p/deploys", { body: large })).status).toBe(413);
  expect((await ask("GET", "/v1/nothing")).status).toBe(404);
  expect(await world.listed("")).toEqual(before);
});

test("docs/openapi.json is what the API is, and is answered without a token", async () => {
  await expect(renderOpenApi()).toMatchFileSnapshot("../../docs/openapi.json");
  const answered = await ask("GET", "/v1/openapi.json", { secret: null });
  const file = new URL("../../docs/openapi.json", import.meta.url);
  expect(answered.text).toBe(readFileSync(file, "utf8"));
});
