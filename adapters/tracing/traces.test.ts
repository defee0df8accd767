/** Spans of a process, through OpenTelemetry's own SDK into a file. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as z from "zod";
import { openTraces } from "./open-traces.ts";
import { formatTraceparent, parseTraceparent, rootContext, stepParent } from "./trace-context.ts";
import type { Traces } from "./traces.ts";

const DEPLOY = { project: "p", deployId: "d1" };
const OTHER = { project: "p", deployId: "d2" };
const ROOT = rootContext(DEPLOY);

const Span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  attributes: z.array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) })),
  links: z.array(z.object({ spanId: z.string() })),
  status: z.object({ code: z.int(), message: z.string().optional() }),
});
const Line = z.object({
  resourceSpans: z.array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(Span) })) })),
});

let directory: string;
let traces: Traces;

const open = async (): Promise<Traces> => {
  const file = join(directory, "spans");
  const about = { service: "bagage", version: "0", instance: "here" };
  const opened = await openTraces({ otlp: false, file }, about);
  if (opened === undefined) throw new Error("no traces");
  return opened;
};

const written = async () => {
  await traces.flush();
  const lines = readFileSync(join(directory, "spans"), "utf8").trim().split("\n");
  return lines.flatMap((line) =>
    Line.parse(JSON.parse(line)).resourceSpans.flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap(({ spans }) => spans),
    ),
  );
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "traces-"));
  traces = await open();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("without a collector and a file there are no traces", async () => {
  const about = { service: "bagage", version: "0", instance: "here" };
  expect(await openTraces({ otlp: false, file: null }, about)).toBeUndefined();
});

test("parts stand below their work, and count the store calls made in them alone", async () => {
  await traces.work({ name: "step", parent: ROOT, attributes: { a: 1 } }, async () => {
    traces.storeCalled({ operation: "get" });
    await traces.part("snapshot", {}, async (note) => {
      await Promise.resolve();
      traces.storeCalled({ operation: "put" });
      traces.storeCalled({ operation: "put" });
      note({ bytes: 7 });
    });
  });
  const [part, step] = await written();
  expect(step).toMatchObject({ name: "step", traceId: ROOT.traceId, parentSpanId: ROOT.spanId });
  expect(part).toMatchObject({ name: "snapshot", parentSpanId: step?.spanId });
  expect(step?.attributes).toContainEqual({ key: "bagage.store.get", value: { intValue: 1 } });
  expect(part?.attributes).toEqual([
    { key: "bytes", value: { intValue: 7 } },
    { key: "bagage.store.put", value: { intValue: 2 } },
  ]);
});

test("work joins the deploy that it turns out to be for; what is for none leaves no span", async () => {
  await traces.work({ name: "idle", parent: null }, async () => {
    expect(traces.traceparent(null)).toBeUndefined();
    await traces.part("unseen", {}, async () => undefined);
  });
  await traces.work({ name: "hint", parent: null }, async () => {
    traces.belongsTo(DEPLOY);
    traces.belongsTo(OTHER);
    expect(parseTraceparent(traces.traceparent(null))?.traceId).toBe(ROOT.traceId);
    // A message about another deploy goes into that one's trace.
    expect(traces.traceparent(OTHER)).toBe(formatTraceparent(rootContext(OTHER)));
  });
  expect(await written()).toMatchObject([{ name: "hint", parentSpanId: ROOT.spanId }]);
});

test("work that fails says why, and fails all the same", async () => {
  const work = traces.work({ name: "step", parent: ROOT }, () =>
    Promise.reject(new Error("disk full")),
  );
  await expect(work).rejects.toThrow("disk full");
  expect(await written()).toMatchObject([{ status: { code: 2, message: "Error: disk full" } }]);
});

test("a deploy's span has the id that everybody derives, and a step's phase too", async () => {
  const parent = stepParent(DEPLOY, "copy-2");
  expect(stepParent({ ...DEPLOY }, "prepare-2")).toEqual(parent);
  expect(stepParent(DEPLOY, "seal-e7")).not.toEqual(parent);
  const past = { beganAtMs: 1_000, endedAtMs: 500, attributes: {}, failure: "it broke" };
  traces.tell({ name: "deploy", context: ROOT, parent: null, ...past });
  traces.tell({ name: "copying 2", context: parent, parent: ROOT, ...past, failure: null });
  const spans = await written();
  expect(spans).toMatchObject([
    { name: "deploy", spanId: ROOT.spanId, traceId: ROOT.traceId, status: { code: 2 } },
    { name: "copying 2", spanId: parent.spanId, parentSpanId: ROOT.spanId },
  ]);
  expect(spans[0]).not.toHaveProperty("parentSpanId");
});

test.for([undefined, "", "00-0-0-01", `00-${"0".repeat(32)}-${"1".repeat(16)}-01`, "x".repeat(55)])(
  "%s is no place in a trace",
  (text) => {
    expect(parseTraceparent(text)).toBeNull();
  },
);
