/** One SQLite file, written by a small HTTP server (bench/gap/app). */
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { build, packContext } from "../../infra/lab/images.ts";
import {
  type Application,
  healthcheck,
  type Place,
  ROWS_A_WRITE,
  ROWS_CHANGED_FOR_PEERS,
} from "./application.ts";

const APP = fileURLToPath(new URL("app", import.meta.url));
const PORT = 8080;
const inContainer = (path: string, ...flags: string[]): [string, ...string[]] => [
  ...(["/bin/busybox", "wget", "-q", "-O", "-"] as const),
  ...flags,
  `http://127.0.0.1:${PORT}${path}`,
];

export const sqliteApplication: Application = {
  name: "SQLite",
  about: "an SQLite file with rows of 8 KB",
  spec: { image: "gap-rows", healthcheck: healthcheck("CMD", ...inContainer("/health")) },
  port: PORT,
  change: inContainer(`/update?rows=${ROWS_CHANGED_FOR_PEERS}&n=1`, "--post-data="),
  load: async ({ nodes }, signal) => {
    const context = await packContext(APP, signal);
    for (const { dockerSocket } of nodes) {
      await build(new Docker({ socketPath: dockerSocket }), context, { t: "gap-rows:latest" });
    }
  },
  connect: (places) => {
    const url = (node: number): string => urlOf(places[node]);
    return {
      fill: (node, bytes) => post(`${url(node)}/fill?bytes=${bytes}`),
      write: (node, n, signal) => post(`${url(node)}/update?rows=${ROWS_A_WRITE}&n=${n}`, signal),
      noted: async (node) => (await (await fetch(`${url(node)}/noted`)).json()) as number[],
      close: async () => undefined,
    };
  },
};

const urlOf = (place: Place | undefined): string => `http://${place?.host}:${place?.port}`;

const post = async (url: string, signal?: AbortSignal): Promise<void> => {
  const response = await fetch(url, { method: "POST", ...(signal !== undefined && { signal }) });
  await response.arrayBuffer();
  if (response.status !== 201) throw new Error(`${url}: ${response.status}`);
};
