/** Spans to a collector over OTLP/HTTP, from a process that may be frozen after each piece of work. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as z from "zod";
import { openTraces } from "./open-traces.ts";
import { rootContext } from "./trace-context.ts";
import type { Traces } from "./traces.ts";

const PARENT = rootContext({ project: "p", deployId: "d1" });

const Export = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({
        attributes: z.array(
          z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) }),
        ),
      }),
      scopeSpans: z.array(
        z.object({ spans: z.array(z.object({ name: z.string(), traceId: z.string() })) }),
      ),
    }),
  ),
});

let collector: Server;
let received: { readonly path: string; readonly batch: z.infer<typeof Export> }[];
let traces: Traces;

beforeEach(async () => {
  received = [];
  collector = createServer((request, response) => {
    json(request).then((body) => {
      received.push({ path: request.url ?? "", batch: Export.parse(body) });
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  collector.listen(0, "127.0.0.1");
  await once(collector, "listening");
  const address = collector.address();
  const port = typeof address === "object" ? address?.port : undefined;
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", `http://127.0.0.1:${port}`);
  vi.stubEnv("OTEL_EXPORTER_OTLP_TIMEOUT", "500");
  const about = { service: "advance", version: "0", instance: "here", flushesAtOnce: true };
  const opened = await openTraces({ otlp: true, file: null }, about);
  if (opened === undefined) throw new Error("no traces");
  traces = opened;
});
afterEach(() => {
  vi.unstubAllEnvs();
  collector.closeAllConnections();
  collector.close();
});

test("the collector has the spans of a piece of work before its answer is given", async () => {
  const work = { name: "reconcile", parent: PARENT, attributes: {} };
  expect(await traces.work(work, async () => "done")).toBe("done");
  expect(received.map(({ path }) => path)).toEqual(["/v1/traces"]);
  const [sent] = received.flatMap(({ batch }) => batch.resourceSpans);
  expect(sent?.scopeSpans[0]?.spans).toMatchObject([
    { name: "reconcile", traceId: PARENT.traceId },
  ]);
  expect(sent?.resource.attributes).toContainEqual({
    key: "service.name",
    value: { stringValue: "advance" },
  });
});

test("a collector that is away is no failure of the work", async () => {
  collector.closeAllConnections();
  collector.close();
  const work = { name: "reconcile", parent: PARENT, attributes: {} };
  expect(await traces.work(work, async () => "done")).toBe("done");
  await expect(
    traces.work(work, async () => Promise.reject(new Error("the work's own"))),
  ).rejects.toThrow("the work's own");
  expect(received).toEqual([]);
});
