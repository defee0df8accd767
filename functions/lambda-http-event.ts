/** A node:http request as the event that API Gateway's HTTP API gives a Lambda handler, and its context. */
import type { IncomingMessage } from "node:http";
import type { APIGatewayProxyEventV2, Context } from "aws-lambda";

/** What a handler may take at most; middy turns it into the handler's abort signal. */
const HANDLER_MS_MAX = 30_000;

/**
 * Payload format 2.0: lower-case header names, repeated headers and parameters joined by commas,
 * cookies apart, the body always in base64 so that its bytes arrive unchanged.
 * docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
export const toEvent = (
  request: IncomingMessage,
  body: Buffer,
  { requestId, nowMs }: { readonly requestId: string; readonly nowMs: number },
): APIGatewayProxyEventV2 => {
  const method = request.method ?? "GET";
  const [path = "/", ...query] = (request.url ?? "/").split("?");
  const rawQueryString = query.join("?");
  const { cookie = [], ...distinct } = request.headersDistinct;
  const headers = Object.fromEntries(
    Object.entries(distinct).map(([name, values]) => [name, (values ?? []).join(",")]),
  );
  const domainName = headers["host"] ?? "";
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString,
    headers,
    ...(cookie.length > 0 && { cookies: cookie.flatMap((line) => line.split(/; */)) }),
    ...(rawQueryString !== "" && { queryStringParameters: joinParameters(rawQueryString) }),
    requestContext: {
      accountId: "local",
      apiId: "local",
      domainName,
      domainPrefix: domainName.split(".")[0] ?? "",
      http: {
        method,
        path,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? "",
        userAgent: headers["user-agent"] ?? "",
      },
      requestId,
      routeKey: "$default",
      stage: "$default",
      time: new Date(nowMs).toISOString(),
      timeEpoch: nowMs,
    },
    ...(body.byteLength > 0 && { body: body.toString("base64") }),
    isBase64Encoded: body.byteLength > 0,
  };
};

const joinParameters = (rawQueryString: string): Record<string, string> => {
  const joined = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(rawQueryString)) {
    const before = joined.get(name);
    joined.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(joined);
};

/** The context of one invocation, with the time that is left of it. */
export const createContext = ({ requestContext }: APIGatewayProxyEventV2): Context => {
  const deadlineMs = performance.now() + HANDLER_MS_MAX;
  const unused = (): void => undefined;
  return {
    awsRequestId: requestContext.requestId,
    callbackWaitsForEmptyEventLoop: false,
    functionName: "local",
    functionVersion: "$LATEST",
    invokedFunctionArn: "arn:aws:lambda:local:local:function:local",
    logGroupName: "local",
    logStreamName: "local",
    memoryLimitInMB: "0",
    getRemainingTimeInMillis: () => Math.max(0, Math.round(deadlineMs - performance.now())),
    done: unused,
    fail: unused,
    succeed: unused,
  };
};
