/** An edge's way into a container on another machine: through the door of its node. */
import { connect, type Socket } from "node:net";
import { RetryableError } from "../volume/errors.ts";
import { DOOR_OPEN, type DoorPreface, encodePreface } from "./door-preface.ts";

export interface DoorAddress {
  readonly address: string;
  readonly port: number;
}

/** A node that is gone answers nothing; one that is there answers at once, with yes or no. */
const ENTER_TIMEOUT_MS = 3_000;

/**
 * Resolves with a paused socket to the container. Rejects with RetryableError `door-closed` when the
 * node does not lead there now; nothing of the client was sent, so any other door may be tried.
 */
export const enterDoor = async (
  { address, port }: DoorAddress,
  preface: DoorPreface,
  signal: AbortSignal,
): Promise<Socket> => {
  const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const giveUp = () => reject(new Error("no answer"));
  const impatience = setTimeout(giveUp, ENTER_TIMEOUT_MS);
  const onData = (chunk: Buffer) => {
    socket.pause();
    if (chunk[0] !== DOOR_OPEN[0]) return reject(new Error("no door answers so"));
    if (chunk.length > 1) socket.unshift(chunk.subarray(1));
    resolve();
  };
  const onEnd = () => reject(new Error("closed"));
  socket.once("error", reject).once("end", onEnd).once("data", onData);
  signal.addEventListener("abort", giveUp, { once: true });
  socket.write(encodePreface(preface));
  try {
    await promise;
    socket.off("error", reject).off("end", onEnd);
    return socket;
  } catch (error) {
    socket.destroy();
    throw new RetryableError(`the door ${address}:${port} does not lead to ${preface.container}`, {
      code: "door-closed",
      cause: error,
    });
  } finally {
    clearTimeout(impatience);
    signal.removeEventListener("abort", giveUp);
  }
};
