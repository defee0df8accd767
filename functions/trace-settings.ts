/** Whether a process writes traces, and where to: a part of every process's settings (config.ts). */
import * as z from "zod";
import type { TraceSettings } from "../adapters/tracing/open-traces.ts";

/** Those of OpenTelemetry that turn it on or off; its packages read the rest themselves. */
export const TraceEnvironment = z.object({
  /** Appends each deploy's spans to this file, a line of OTLP's JSON for a batch. */
  BAGAGE_TRACES_PATH: z.string().startsWith("/").optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.string().default(""),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: z.string().default(""),
  /** Several by comma; only `otlp` is known here. */
  OTEL_TRACES_EXPORTER: z.string().default("otlp"),
  OTEL_SDK_DISABLED: z.string().default(""),
});

export const traceSettings = (e: z.infer<typeof TraceEnvironment>): TraceSettings => ({
  otlp:
    (e.OTEL_EXPORTER_OTLP_ENDPOINT !== "" || e.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT !== "") &&
    e.OTEL_TRACES_EXPORTER.split(",").some((name) => name.trim() === "otlp") &&
    e.OTEL_SDK_DISABLED.toLowerCase() !== "true",
  file: e.BAGAGE_TRACES_PATH ?? null,
});
