/** The webhook as a Lambda handler for API Gateway's HTTP API (payload format 2.0). */
import middy from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { problemJson } from "../http-problem.ts";
import type { HttpHandler } from "../operations.ts";
import { createReceiveGitPush, type ReceiveGitPushPorts } from "./receive-git-push.ts";

/** Answers every request, errors as problem+json; never rejects. */
export const createHandler = (ports: ReceiveGitPushPorts): HttpHandler => {
  const receive = createReceiveGitPush(ports);
  const handler = middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>()
    .use(problemJson(ports.log))
    .handler((event, _context, { signal }) => receive(event, signal));
  return async (event, context) => await handler(event, context);
};
