/**
 * What an edge says first on a connection to a node's door: whom it wants. The frame is that of the
 * PROXY protocol, version 2, with the command LOCAL, whose signature no other protocol begins with
 * (https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt); its body is JSON. The door answers
 * with one byte when it has the container at the other end, and closes the connection otherwise. An
 * edge sends nothing of its client before the answer, so a closed connection can be tried again.
 */
import * as z from "zod";
import { ContainerName, ProjectId } from "../workflows/ids.ts";

export const DoorPreface = z.object({
  project: ProjectId,
  container: ContainerName,
  /** The container's own port. */
  port: z.int().min(1).max(65_535),
  /**
   * `request`: one HTTP exchange, whose answer a drain waits for; `stream`: ends with the container;
   * `probe`: only asks whether the door leads to the container.
   */
  kind: z.enum(["request", "stream", "probe"]),
});
export type DoorPreface = z.infer<typeof DoorPreface>;

export const DOOR_OPEN = Buffer.from([0x06]);

const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a2000", "hex");
const HEAD_BYTES = SIGNATURE.length + 2;
const BODY_BYTES_MAX = 1_024;

export const encodePreface = (preface: DoorPreface): Buffer => {
  const body = Buffer.from(JSON.stringify(preface));
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  return Buffer.concat([SIGNATURE, length, body]);
};

/** `undefined`: there is more to come; `null`: no edge speaks so. */
export const decodePreface = (bytes: Buffer): DoorPreface | null | undefined => {
  const known = Math.min(bytes.length, SIGNATURE.length);
  if (!bytes.subarray(0, known).equals(SIGNATURE.subarray(0, known))) return null;
  if (bytes.length < HEAD_BYTES) return undefined;
  const length = bytes.readUInt16BE(SIGNATURE.length);
  if (length > BODY_BYTES_MAX || bytes.length > HEAD_BYTES + length) return null;
  if (bytes.length < HEAD_BYTES + length) return undefined;
  return parseBody(bytes.subarray(HEAD_BYTES).toString("utf8"));
};

const parseBody = (text: string): DoorPreface | null => {
  try {
    return DoorPreface.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
};
