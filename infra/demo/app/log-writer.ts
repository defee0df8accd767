/**
 * POST /append {"n": 7} answers when the record is on disk; GET /records lists what is there, GET /log
 * tells by which process. GET /slow/2000 answers after two seconds; a WebSocket hears what it says.
 */
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { openAppendLog } from "./append-log.ts";
import { readJson, reply, serve } from "./http.ts";
import { echoWebSockets } from "./websocket.ts";

const log = await openAppendLog("/var/lib/data/log");
const { instance } = log;

const answerSlowly = async (url: string, response: ServerResponse): Promise<void> => {
  const ms = Number(url.slice("/slow/".length));
  await sleep(ms);
  reply(response, 200, { ms });
};

const server = serve(
  async (request, response) => {
    const { url = "/" } = request;
    if (url.startsWith("/slow/")) return answerSlowly(url, response);
    switch (`${request.method} ${url}`) {
      case "POST /append": {
        const { n } = await readJson(request);
        if (typeof n !== "number" || !Number.isSafeInteger(n)) {
          return reply(response, 400, { error: "n is not an integer" });
        }
        await log.append(n);
        return reply(response, 201, { n, instance });
      }
      case "GET /records":
        return reply(response, 200, await log.records());
      case "GET /log":
        return reply(response, 200, await log.lines());
      case "GET /health":
        return reply(response, 200, { healthy: true, instance });
      default:
        return reply(response, 404, { error: "no such page" });
    }
  },
  () => log.close(),
);
const sockets = echoWebSockets(server);
process.once("SIGTERM", sockets.closeAll);
