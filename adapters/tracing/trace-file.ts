/**
 * Spans into a file in the form of the OTLP file exporter, one JSON object of `resourceSpans` a line:
 * https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/. Several processes of one machine
 * may share the file, since each line is appended by one write.
 */
import { appendFile } from "node:fs/promises";
import { ExportResultCode } from "@opentelemetry/core";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { SpanExporter } from "@opentelemetry/sdk-trace";

export const createTraceFile = (path: string): SpanExporter => {
  let writing: Promise<void> = Promise.resolve();
  const append = async (line: Uint8Array): Promise<void> => {
    await writing.catch(() => undefined);
    await appendFile(path, Buffer.concat([line, Buffer.from("\n")]));
  };
  return {
    export: (spans, tell) => {
      const line = JsonTraceSerializer.serializeRequest(spans);
      if (line === undefined) return tell({ code: ExportResultCode.FAILED });
      writing = append(line);
      writing.then(
        () => tell({ code: ExportResultCode.SUCCESS }),
        (error: Error) => tell({ code: ExportResultCode.FAILED, error }),
      );
    },
    forceFlush: () => writing,
    shutdown: () => writing,
  };
};
