/** All that the API offers; its description and its router are made from this list. */
import type { Endpoint } from "./endpoint.ts";
import { EVENT_ENDPOINT } from "./event-endpoint.ts";
import { READ_ENDPOINTS } from "./read-endpoints.ts";
import { WRITE_ENDPOINTS } from "./write-endpoints.ts";

export const ENDPOINTS: readonly Endpoint[] = [
  ...READ_ENDPOINTS,
  ...WRITE_ENDPOINTS,
  EVENT_ENDPOINT,
];
