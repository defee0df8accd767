/**
 * Where a deploy's trace begins, and how a place in a trace is written into a message (W3C Trace
 * Context, https://www.w3.org/TR/trace-context/#traceparent-header). The ids follow from the deploy, so
 * that whoever works for it joins the same trace, also when the message that told of it was lost.
 */
import { createHash } from "node:crypto";
import { type SpanContext, TraceFlags } from "@opentelemetry/api";
import { type StepKind, stepKind } from "../../workflows/deploy/steps.ts";

export interface TracedDeploy {
  readonly project: string;
  readonly deployId: string;
}

/** The attribute of a message that carries it. */
export const TRACEPARENT = "traceparent";

const TRACE_ID_DIGITS = 32;
const SPAN_ID_DIGITS = 16;

const digest = (...parts: readonly string[]): string =>
  createHash("sha256").update(parts.join("\n")).digest("hex");

const traceIdOf = ({ project, deployId }: TracedDeploy): string =>
  digest("trace", project, deployId).slice(0, TRACE_ID_DIGITS);

const contextOf = (deploy: TracedDeploy, span: string): SpanContext => ({
  traceId: traceIdOf(deploy),
  spanId: digest("span", deploy.project, deploy.deployId, span).slice(0, SPAN_ID_DIGITS),
  traceFlags: TraceFlags.SAMPLED,
  isRemote: true,
});

/** The span of the whole deploy. */
export const rootContext = (deploy: TracedDeploy): SpanContext => contextOf(deploy, "deploy");

/** The span of a phase, by its name in the deploy's timeline. */
export const phaseContext = (deploy: TracedDeploy, phase: string): SpanContext =>
  contextOf(deploy, `phase ${phase}`);

/** The span that a node's step belongs below: its phase, or the deploy where that is not known. */
export const stepParent = (deploy: TracedDeploy, step: string): SpanContext => {
  const kind = stepKind(step);
  if (kind === null) return rootContext(deploy);
  const phase = PHASES[kind];
  return phaseContext(deploy, phase === "copying" ? `copying ${step.split("-")[1]}` : phase);
};

/** In which phase a step is awaited. */
const PHASES = {
  copy: "copying",
  prepare: "copying",
  seal: "draining",
  hydrate: "sealed",
  start: "starting",
  unstart: "unstarting",
  return: "returning",
} as const satisfies Record<StepKind, string>;

export const formatTraceparent = ({ traceId, spanId, traceFlags }: SpanContext): string =>
  `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;

/** Null for what is no place in a trace: what carries it must work all the same. */
export const parseTraceparent = (text: string | undefined): SpanContext | null => {
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(text ?? "");
  const [, traceId = "", spanId = "", flags = ""] = match ?? [];
  if (match === null || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
};
