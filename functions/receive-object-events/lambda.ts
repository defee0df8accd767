/** The Lambda's entry: connects once per cold start. */
import { connectLambda } from "../lambda-ports.ts";
import { createHandler } from "./handler.ts";

export const handler = createHandler(await connectLambda(process.env));
