/**
 * The spans that real processes wrote of one deploy, in the form that collectors read. The schema
 * follows OTLP's own JSON mapping: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
import { existsSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import * as z from "zod";
import { rootContext } from "../../adapters/tracing/trace-context.ts";
import { waitUntil } from "../../infra/lab/wait-until.ts";
import type { EndedDeploy } from "../../workflows/record.ts";

const SPANS_TIMEOUT_MS = 60_000;

const Attribute = z.strictObject({
  key: z.string(),
  value: z.union([
    z.strictObject({ stringValue: z.string() }),
    z.strictObject({ intValue: z.int() }),
    z.strictObject({ doubleValue: z.number() }),
    z.strictObject({ boolValue: z.boolean() }),
  ]),
});
const nanoseconds = z.string().regex(/^\d{19}$/);
const traceId = z.string().regex(/^[0-9a-f]{32}$/);
const spanId = z.string().regex(/^[0-9a-f]{16}$/);
const Span = z.object({
  traceId,
  spanId,
  parentSpanId: spanId.optional(),
  name: z.string().min(1),
  kind: z.int().min(1).max(5),
  startTimeUnixNano: nanoseconds,
  endTimeUnixNano: nanoseconds,
  attributes: z.array(Attribute),
  links: z.array(z.object({ traceId, spanId })),
  status: z.object({ code: z.int().min(0).max(2) }),
});
const Line = z.strictObject({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(Attribute) }),
      scopeSpans: z.array(
        z.object({ scope: z.object({ name: z.string() }), spans: z.array(Span) }),
      ),
    }),
  ),
});
type Span = z.infer<typeof Span> & { readonly process: string };

const valuesOf = (attributes: readonly z.infer<typeof Attribute>[]) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

const readSpans = (file: string): Span[] => {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.flatMap((line) =>
    Line.parse(JSON.parse(line)).resourceSpans.flatMap(({ resource, scopeSpans }) => {
      const process = String(valuesOf(resource.attributes)["service.instance.id"]);
      return scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, process })));
    }),
  );
};

/** A move from x to y: one trace, every parent in it, all phases, by the control and both nodes. */
export const checkTrace = async (
  file: string,
  project: string,
  ended: EndedDeploy,
): Promise<void> => {
  const root = rootContext({ project, deployId: ended.id });
  const find = () => readSpans(file).filter((span) => span.traceId === root.traceId);
  await waitUntil(
    // The last to come: the node reads the commit and opens its gate.
    async () => find().some(({ name }) => name === "open gate") || undefined,
    { what: "the whole trace", timeoutMs: SPANS_TIMEOUT_MS },
    AbortSignal.timeout(SPANS_TIMEOUT_MS),
  );
  const isComplete = () => {
    const ids = new Set(find().map((span) => span.spanId));
    return find().every(({ parentSpanId }) => parentSpanId === undefined || ids.has(parentSpanId));
  };
  await waitUntil(
    async () => isComplete() || undefined,
    { what: "the parents of all spans", timeoutMs: SPANS_TIMEOUT_MS },
    AbortSignal.timeout(SPANS_TIMEOUT_MS),
  );
  const spans = find();
  expect(spans.filter(({ parentSpanId }) => parentSpanId === undefined)).toMatchObject([
    { name: "deploy", spanId: root.spanId },
  ]);
  expect(new Set(spans.map(({ spanId: id }) => id)).size).toBe(spans.length);
  const phases = ended.timeline.slice(0, -1).map(({ phase }) => phase);
  const below = (parent: string) => spans.filter(({ parentSpanId }) => parentSpanId === parent);
  const names = (some: readonly Span[]) => some.map(({ name }) => name);
  expect(names(below(root.spanId))).toEqual(expect.arrayContaining(phases));
  const one = (name: RegExp, process: string): Span => {
    // A step that is asked for again finds its report and does nothing.
    const found = spans.find(
      (span) => name.test(span.name) && span.process === process && below(span.spanId).length > 0,
    );
    if (found === undefined) throw new Error(`no span ${name} of ${process}: ${names(spans)}`);
    return found;
  };
  const phaseOf = (span: Span) => spans.find(({ spanId: id }) => id === span.parentSpanId)?.name;
  expect(phaseOf(one(/^volume.snapshot copy-1$/, "x"))).toBe("copying 1");
  const seal = one(/^containers.stop seal-/, "x");
  expect(phaseOf(seal)).toBe("draining");
  const start = one(/^containers.start start-/, "y");
  expect(phaseOf(start)).toBe("starting");
  expect(names(below(start.spanId))).toEqual(
    expect.arrayContaining(["hydrate", "create container", "start container", "wait for health"]),
  );
  expect(names(below(seal.spanId))).toEqual(
    expect.arrayContaining(["stop container", "write snapshot"]),
  );
  const snapshot = below(seal.spanId).find(({ name }) => name === "write snapshot");
  const [volume] = Object.values(ended.volumes);
  expect(valuesOf(snapshot?.attributes ?? [])).toMatchObject({
    "bagage.stored_bytes": volume?.sealed?.storedBytes,
    "bagage.epoch": volume?.from?.epoch,
    "bagage.store.put": expect.any(Number),
  });
  expect(names(spans)).toEqual(
    expect.arrayContaining(["receive-git-push", "resolve commit", "commit"]),
  );
};
