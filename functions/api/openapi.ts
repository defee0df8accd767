/** The API's description, made from the schemas that it is parsed with. */
import * as z from "zod";
import { ENDPOINTS } from "./endpoints.ts";

const PROBLEM = {
  description: "What is wrong, as problem+json (RFC 9457)",
  content: {
    "application/problem+json": {
      schema: {
        type: "object",
        properties: {
          type: { type: "string" },
          title: { type: "string" },
          status: { type: "integer" },
          detail: { type: "string" },
        },
      },
    },
  },
};

/** OpenAPI 3.1, pretty-printed, with a newline at the end. */
export const renderOpenApi = (): string => {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const one of ENDPOINTS) {
    const names = [...one.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
    const parameters = [
      ...names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
      ...Object.entries(one.query.shape).map(([name, schema]) => ({
        ...{ name, in: "query", required: false },
        schema: jsonSchema(schema as z.ZodType, "input"),
      })),
    ];
    const answers = Object.entries(one.answers).map(([status, schema]) => [
      status,
      { description: one.summary, content: contentOf(schema) },
    ]);
    paths[one.path] ??= {};
    Object.assign(paths[one.path] ?? {}, {
      [one.method.toLowerCase()]: {
        operationId: one.id,
        summary: one.summary,
        parameters,
        ...(one.body !== null && {
          requestBody: {
            content: { "application/json": { schema: jsonSchema(one.body, "input") } },
          },
        }),
        responses: { ...Object.fromEntries(answers), default: PROBLEM },
      },
    });
  }
  const document = {
    openapi: "3.1.0",
    info: { title: "bagage", version: "1" },
    security: [{ token: [] }],
    paths,
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
};

const contentOf = (schema: z.ZodType) =>
  schema instanceof z.ZodString
    ? { "text/event-stream": { schema: { type: "string" } } }
    : { "application/json": { schema: jsonSchema(schema, "output") } };

const jsonSchema = (schema: z.ZodType, io: "input" | "output"): Record<string, unknown> => {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
};
