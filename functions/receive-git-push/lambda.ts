/** The Lambda's entry: connects once per cold start. */

import { connectLambda } from "../lambda-ports.ts";
import type { HttpHandler } from "../operations.ts";
import { createPushPorts } from "../push-ports.ts";
import { traceRequest } from "../trace-ports.ts";
import { createHandler } from "./handler.ts";

const ports = await connectLambda(process.env);
const receive = createHandler(createPushPorts(ports));

export const handler: HttpHandler = (event, context) =>
  traceRequest(ports.traces, "receive-git-push", () => receive(event, context));
