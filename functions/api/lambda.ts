/** The Lambda's entry: connects once per cold start. */
import { systemClock } from "../../adapters/clock.ts";
import { connectLambda } from "../lambda-ports.ts";
import type { HttpHandler } from "../operations.ts";
import { traceRequest } from "../trace-ports.ts";
import { createHandler } from "./handler.ts";

const ports = await connectLambda(process.env);
const answer = createHandler({
  ...ports,
  sleep: (ms, signal) => systemClock.sleep(ms, signal),
});

export const handler: HttpHandler = (event, context) =>
  traceRequest(ports.traces, "api", () => answer(event, context));
