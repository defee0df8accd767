/** The server's side of RFC 6455, as far as an echo needs it: short text messages, and a good end. */
import { createHash } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";

const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 0x81;
const CLOSE = 0x88;
const GOING_AWAY = Buffer.from([0x03, 0xe9]);
const SHORT_BYTES_MAX = 125;

/** Echoes short messages on every upgraded connection; `closeAll` says that the server goes away. */
export const echoWebSockets = (server: Server): { closeAll(): void } => {
  const sockets = new Set<Duplex>();
  server.on("upgrade", (request, socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    socket.write(acceptance(request));
    socket.on("data", (frame: Buffer) => {
      if (frame[0] === CLOSE) socket.end(encodeFrame(CLOSE, decodeShort(frame)));
      else socket.write(encodeFrame(TEXT, decodeShort(frame)));
    });
  });
  return {
    closeAll: () => {
      for (const socket of sockets) socket.end(encodeFrame(CLOSE, GOING_AWAY));
    },
  };
};

const acceptance = ({ headers }: IncomingMessage): string => {
  const key = `${headers["sec-websocket-key"]}${MAGIC}`;
  const accept = createHash("sha1").update(key).digest("base64");
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${accept}`,
    "\r\n",
  ].join("\r\n");
};

const encodeFrame = (head: number, body: Buffer): Buffer =>
  Buffer.concat([Buffer.from([head, body.length]), body]);

/** Clients mask what they send. */
const decodeShort = (frame: Buffer): Buffer => {
  const length = Math.min((frame[1] ?? 0) & 0x7f, SHORT_BYTES_MAX);
  const mask = frame.subarray(2, 6);
  return Buffer.from(
    frame.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)),
  );
};
