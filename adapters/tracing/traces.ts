/**
 * Spans of what a process does for a deploy. The rules know nothing of it: ports are wrapped, and the
 * work under way is found by its asynchronous context. Work that turns out to belong to no deploy
 * leaves no span.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { BagageError } from "../../volume/errors.ts";
import type { StoreCall } from "../meter-store.ts";
import { formatTraceparent, rootContext, type TracedDeploy } from "./trace-context.ts";

/** What a piece of work begins with. */
export interface WorkOrigin {
  readonly name: string;
  /** Null: it shows in the course of the work which deploy it is for. */
  readonly parent: SpanContext | null;
  /** Whoever asked for it, where that is not the parent. */
  readonly askedBy?: SpanContext | null;
  readonly attributes?: Attributes;
}

/** A span that is told of when it is over, under an id that others know already. */
export interface PastSpan {
  readonly name: string;
  readonly context: SpanContext;
  readonly parent: SpanContext | null;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
  readonly attributes: Attributes;
  /** Why it did not go well. */
  readonly failure: string | null;
}

export type Note = (attributes: Attributes) => void;

export interface Traces {
  /** Runs one piece of work: a message, a request. */
  work<T>(origin: WorkOrigin, run: () => Promise<T>): Promise<T>;
  /** Runs a part of the work under way, in a span below it. */
  part<T>(name: string, attributes: Attributes, run: (note: Note) => Promise<T>): Promise<T>;
  /** The work under way is for this deploy, unless it is known to be for another. */
  belongsTo(deploy: TracedDeploy): void;
  /** Counted on the innermost span that is under way. */
  storeCalled(call: Pick<StoreCall, "operation">): void;
  tell(span: PastSpan): void;
  /**
   * What to send along with a message, of a deploy where it names one. Undefined: neither the message
   * nor the work under way is for a deploy.
   */
  traceparent(deploy: TracedDeploy | null): string | undefined;
  /** Hands everything out that has ended. */
  flush(): Promise<void>;
}

/** How a tracer is asked for a span with an id that is known beforehand. */
export interface TracerWithIds {
  readonly tracer: Tracer;
  withIds<T>(ids: SpanContext, start: () => T): T;
  flush(): Promise<void>;
}

interface Frame {
  readonly origin: WorkOrigin;
  readonly beganAtMs: number;
  readonly storeCalls: Map<string, number>;
  /** Undefined while it is not known which deploy the work is for. */
  span: Span | undefined;
}

export const createTraces = (
  { tracer, withIds, flush }: TracerWithIds,
  nowMs: () => number,
): Traces => {
  const frames = new AsyncLocalStorage<Frame>();
  const open = (frame: Frame, parent: SpanContext, kind: SpanKind): void => {
    const { name, askedBy, attributes = {} } = frame.origin;
    const links = askedBy === undefined || askedBy === null ? [] : [{ context: askedBy }];
    const options = { kind, links, attributes, startTime: frame.beganAtMs };
    frame.span = tracer.startSpan(name, options, trace.setSpanContext(ROOT_CONTEXT, parent));
  };
  const run = async <T>(frame: Frame, work: () => Promise<T>): Promise<T> => {
    try {
      const result = await frames.run(frame, work);
      close(frame, null);
      return result;
    } catch (error) {
      close(frame, error);
      throw error;
    }
  };
  const frameOf = (origin: WorkOrigin): Frame => ({
    ...{ origin, beganAtMs: nowMs(), storeCalls: new Map(), span: undefined },
  });
  return {
    work: (origin, work) => {
      const frame = frameOf(origin);
      if (origin.parent !== null) open(frame, origin.parent, SpanKind.CONSUMER);
      return run(frame, work);
    },
    part: (name, attributes, work) => {
      const parent = frames.getStore()?.span?.spanContext();
      if (parent === undefined) return work(() => undefined);
      const frame = frameOf({ name, parent, attributes });
      open(frame, parent, SpanKind.INTERNAL);
      return run(frame, () => work((found) => void frame.span?.setAttributes(found)));
    },
    belongsTo: (deploy) => {
      const frame = frames.getStore();
      if (frame === undefined || frame.span !== undefined) return;
      open(frame, rootContext(deploy), SpanKind.CONSUMER);
    },
    storeCalled: ({ operation }) => {
      const calls = frames.getStore()?.storeCalls;
      calls?.set(operation, (calls.get(operation) ?? 0) + 1);
    },
    tell: ({ name, context, parent, beganAtMs, endedAtMs, attributes, failure }) => {
      const options = { startTime: beganAtMs, attributes };
      const above = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
      const span = withIds(context, () => tracer.startSpan(name, options, above));
      if (failure !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
      // A clock may have been put back between the two.
      span.end(Math.max(beganAtMs, endedAtMs));
    },
    traceparent: (deploy) => {
      const here = frames.getStore()?.span?.spanContext();
      const root = deploy === null ? undefined : rootContext(deploy);
      const context = root === undefined || here?.traceId === root.traceId ? here : root;
      return context === undefined ? undefined : formatTraceparent(context);
    },
    flush,
  };
};

const close = ({ span, storeCalls }: Frame, error: unknown): void => {
  if (span === undefined) return;
  for (const [operation, count] of storeCalls)
    span.setAttribute(`bagage.store.${operation}`, count);
  if (error !== null) {
    const message = error instanceof BagageError ? `${error.code}: ${error.message}` : `${error}`;
    span.setStatus({ code: SpanStatusCode.ERROR, message });
  }
  span.end();
};
