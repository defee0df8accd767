/** The Lambda's entry: connects once per cold start, and may be another process each time. */
import { systemClock } from "../../adapters/clock.ts";
import { connectLambda } from "../lambda-ports.ts";
import { createHandler } from "./handler.ts";
import { createStayingEyes } from "./stay-for-leases.ts";

export const handler = createHandler(
  await connectLambda(process.env),
  undefined,
  () => systemClock.monotonicMs(),
  createStayingEyes(systemClock),
);
