/**
 * OpenTelemetry's SDK, loaded only where traces are wanted: without it a process pays nothing for
 * them. Spans go to a collector over OTLP/HTTP, whose standard variables (`OTEL_EXPORTER_OTLP_…`,
 * `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`) the packages read themselves, and to a file.
 */
import type { SpanContext } from "@opentelemetry/api";
import { systemClock } from "../clock.ts";
import { createTraces, type TracerWithIds, type Traces } from "./traces.ts";

export interface TraceSettings {
  /** To the collector that the standard variables name. */
  readonly otlp: boolean;
  /** To a file of OTLP's JSON, a line a batch; null: to none. */
  readonly file: string | null;
}

export interface TraceProcess {
  readonly service: string;
  readonly version: string;
  /** The node's, edge's or host's name. */
  readonly instance: string;
  /** It may be frozen after any piece of work: nothing is kept back for the next batch. */
  readonly flushesAtOnce?: boolean;
}

/** Undefined: nobody wants traces. */
export const openTraces = async (
  settings: TraceSettings,
  process: TraceProcess,
): Promise<Traces | undefined> => {
  if (!settings.otlp && settings.file === null) return undefined;
  const traces = createTraces(await openTracer(settings, process), () => systemClock.nowMs());
  if (process.flushesAtOnce !== true) return traces;
  return {
    ...traces,
    work: (origin, run) =>
      // A collector that is away is no failure of the work.
      traces.work(origin, run).finally(() => traces.flush().catch(() => undefined)),
  };
};

const openTracer = async (
  { otlp, file }: TraceSettings,
  { service, version, instance }: TraceProcess,
): Promise<TracerWithIds> => {
  const { BatchSpanProcessor, RandomIdGenerator, TracerProvider } = await import(
    "@opentelemetry/sdk-trace"
  );
  const { detectResources, envDetector, resourceFromAttributes } = await import(
    "@opentelemetry/resources"
  );
  const spanProcessors = [];
  if (otlp) {
    const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
    spanProcessors.push(new BatchSpanProcessor({ exporter: new OTLPTraceExporter() }));
  }
  if (file !== null) {
    const { createTraceFile } = await import("./trace-file.ts");
    spanProcessors.push(new BatchSpanProcessor({ exporter: createTraceFile(file) }));
  }
  const random = new RandomIdGenerator();
  let known: SpanContext | null = null;
  const provider = new TracerProvider({
    spanProcessors,
    resource: resourceFromAttributes({
      "service.name": service,
      "service.version": version,
      "service.instance.id": instance,
    }).merge(detectResources({ detectors: [envDetector] })),
    idGenerator: {
      generateTraceId: () => known?.traceId ?? random.generateTraceId(),
      generateSpanId: () => known?.spanId ?? random.generateSpanId(),
    },
  });
  return {
    tracer: provider.getTracer("bagage", version),
    withIds: (ids, start) => {
      known = ids;
      try {
        return start();
      } finally {
        known = null;
      }
    },
    flush: () => provider.forceFlush(),
  };
};
