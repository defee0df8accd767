/** A port for a server that is started next; another program may take it first, but does not. */
import { once } from "node:events";
import { createServer } from "node:net";

export const findFreePort = async (host: string): Promise<number> => {
  const server = createServer();
  server.listen(0, host);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
};
