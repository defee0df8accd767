/** The API as a Lambda handler for API Gateway's HTTP API: a token, then schemas, then the endpoint. */
import middy from "@middy/core";
import httpRouter from "@middy/http-router";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import * as z from "zod";
import { ProjectId } from "../../workflows/ids.ts";
import { readBody } from "../http-body.ts";
import { HttpProblem, problemJson } from "../http-problem.ts";
import type { HttpHandler } from "../operations.ts";
import type { ApiPorts, Call, Endpoint } from "./endpoint.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { renderOpenApi } from "./openapi.ts";
import { findToken } from "./tokens.ts";

export const API_PREFIX = "/v1/";
const BODY_BYTES_MAX = 64 * 1_024;
/** A call that waits for events takes the longest. */
const CALL_TIMEOUT_MS = 28_000;

type Event = APIGatewayProxyEventV2;
type Result = APIGatewayProxyStructuredResultV2;

/** Answers every request, errors as problem+json; never rejects. */
export const createHandler = (ports: ApiPorts): HttpHandler => {
  const openApi = renderOpenApi();
  const described = async (): Promise<Result> => ({
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: openApi,
  });
  const route = httpRouter<Event, Result>([
    { method: "GET", path: "/v1/openapi.json", handler: described },
    ...ENDPOINTS.map((one) => ({
      method: one.method,
      path: one.path,
      handler: (event: Event) => perform(ports, one, event),
    })),
  ]);
  const handler = middy<Event, Result>().use(problemJson(ports.log)).handler(route);
  return async (event, context) => await handler(event, context);
};

const perform = async (ports: ApiPorts, one: Endpoint, event: Event): Promise<Result> => {
  const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
  const path = Object.fromEntries(
    Object.entries(event.pathParameters ?? {}).map(([name, value]) => [name, value ?? ""]),
  );
  const project = await authorise(ports, event, path["project"], signal);
  const call: Call<unknown, unknown> = {
    path,
    project,
    query: parse(one.query, event.queryStringParameters ?? {}, "query"),
    body: one.body === null ? null : parse(one.body, readJson(event), "body"),
    headers: event.headers,
  };
  const { status, body, contentType } = await one.handle(ports, call, signal);
  return {
    statusCode: status,
    headers: { "content-type": contentType ?? "application/json", "cache-control": "no-store" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
};

/** Someone else's project and one that is not there look alike. */
const authorise = async (
  ports: ApiPorts,
  { headers }: Event,
  name: string | undefined,
  signal: AbortSignal,
): Promise<ProjectId | null> => {
  const secret = /^Bearer (\S{1,200})$/.exec(headers["authorization"] ?? "")?.[1];
  const token = secret === undefined ? null : await findToken(ports.store, secret, signal);
  if (token === null) {
    throw new HttpProblem({
      status: 401,
      code: "token-refused",
      detail: "Send a valid token: `Authorization: Bearer …`.",
      headers: { "www-authenticate": "Bearer" },
    });
  }
  if (name === undefined) {
    if (token.project === null) return null;
    const detail = "This takes an operator's token.";
    throw new HttpProblem({ status: 403, code: "operators-only", detail });
  }
  const project = ProjectId.safeParse(name);
  const isTheirs = token.project === null || token.project === name;
  if (project.success && isTheirs) return project.data;
  throw new HttpProblem({ status: 404, code: "not-found", detail: "There is no such project." });
};

const readJson = (event: Event): unknown => {
  const text = readBody(event, BODY_BYTES_MAX).toString("utf8");
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch (cause) {
    const detail = "The body is not JSON.";
    throw new HttpProblem({ status: 400, code: "not-json", detail }, { cause });
  }
};

const parse = (schema: z.ZodType, value: unknown, where: string): unknown => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const detail = `The ${where} does not fit: ${z.prettifyError(parsed.error)}`;
  throw new HttpProblem({ status: 422, code: "does-not-fit", detail });
};
