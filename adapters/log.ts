/**
 * The log: one JSON line an event on standard output. Bind ids with `logger.child({ project, deploy,
 * phase, node, revision })`; those field names are what the operator's queries rely on.
 */
import { type DestinationStream, type Logger, destination as openDestination, pino } from "pino";
import { redactFields, redactLine } from "./redact.ts";

export interface LogOptions {
  readonly level: string;
  /** The process: `control`, `node`, `up`. */
  readonly name: string;
  /** The secrets that this process holds now; none of them ever reaches a line. */
  readonly secrets?: () => readonly string[];
  /** Default: standard output, written synchronously, so that a crash loses no line. */
  readonly destination?: DestinationStream;
}

export const createLogger = (options: LogOptions): Logger => {
  const secrets = options.secrets ?? (() => []);
  return pino(
    {
      level: options.level,
      name: options.name,
      base: { pid: process.pid },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: {
        level: (label) => ({ level: label }),
        // Before pino serialises: errors get their shape, and nothing huge or cyclic goes on.
        log: (record) => redactFields(record) as Record<string, unknown>,
      },
      // Errors are shaped by redactFields; pino's own serializer would copy every field they have.
      serializers: { err: (error: unknown) => error },
      hooks: { streamWrite: (line) => redactLine(line, secrets()) },
    },
    options.destination ?? openDestination({ dest: 1, sync: true }),
  );
};
