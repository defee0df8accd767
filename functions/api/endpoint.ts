/** One endpoint of the API: what it takes and gives by schema, who may call it, what it does. */
import * as z from "zod";
import type { ProjectId } from "../../workflows/ids.ts";
import type { ControlPorts } from "../control-ports.ts";

export type ApiPorts = ControlPorts & {
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
};

export interface Call<Query, Body> {
  /** Parts of the path by name. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Null where the endpoint is about no project. */
  readonly project: ProjectId | null;
}

/** `text/event-stream` where it is a string, JSON otherwise. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly contentType?: string;
}

export interface Endpoint {
  readonly method: "GET" | "POST" | "DELETE";
  /** `/v1/projects/{project}`; where it names a project, that project's token is enough. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly query: z.ZodObject;
  /** Null: it takes none. */
  readonly body: z.ZodType | null;
  readonly answers: Readonly<Record<number, z.ZodType>>;
  readonly handle: (
    ports: ApiPorts,
    call: Call<unknown, unknown>,
    signal: AbortSignal,
  ) => Promise<Answer>;
}

type Definition<Q extends z.ZodObject, B extends z.ZodType> = Omit<
  Endpoint,
  "query" | "body" | "handle"
> & {
  readonly query?: Q;
  readonly body?: B;
  readonly handle: (
    ports: ApiPorts,
    call: Call<z.infer<Q>, z.infer<B>>,
    signal: AbortSignal,
  ) => Promise<Answer>;
};

const NO_QUERY = z.object({});

/** Ties the handler's types to its schemas: it is only ever given what they parsed. */
export const endpoint = <Q extends z.ZodObject = typeof NO_QUERY, B extends z.ZodType = z.ZodNull>(
  definition: Definition<Q, B>,
): Endpoint => ({
  ...definition,
  query: definition.query ?? NO_QUERY,
  body: definition.body ?? null,
  handle: (ports, call, signal) =>
    definition.handle(ports, call as Call<z.infer<Q>, z.infer<B>>, signal),
});
