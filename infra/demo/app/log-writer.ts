/**
 * POST /append {"n": 7} answers when the record is on disk; GET /records lists what is there, GET /log
 * tells by which process. Each answer names the process that gave it.
 */
import { openAppendLog } from "./append-log.ts";
import { readJson, reply, serve } from "./http.ts";

const log = await openAppendLog("/var/lib/data/log");
const { instance } = log;

serve(
  async (request, response) => {
    switch (`${request.method} ${request.url}`) {
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
