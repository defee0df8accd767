/** The Lambda's entry: connects once per cold start. */
import { openLambda } from "../lambda-ports.ts";
import { connectSpaces } from "../spaces/connect-spaces.ts";
import { createHandler } from "./handler.ts";

const { config, ports, spaceKeys } = await openLambda(process.env);

export const handler = createHandler(connectSpaces(config, ports, spaceKeys));
