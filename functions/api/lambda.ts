/** The Lambda's entry: connects once per cold start. */
import { systemClock } from "../../adapters/clock.ts";
import { connectLambda } from "../lambda-ports.ts";
import { createHandler } from "./handler.ts";

export const handler = createHandler({
  ...(await connectLambda(process.env)),
  sleep: (ms, signal) => systemClock.sleep(ms, signal),
});
