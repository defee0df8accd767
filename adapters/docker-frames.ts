/**
 * The engine's multiplexed output: frames of 8 header bytes (stream, 3 zeros, length) and payload.
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
 */

const HEADER_BYTES = 8;

/** The text of all frames, in order; a frame that was cut off counts as far as it goes. */
export const decodeFrames = (bytes: Buffer): string => {
  const payloads: Buffer[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const length = bytes.readUInt32BE(at + 4);
    payloads.push(bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length));
    at += HEADER_BYTES + length;
  }
  return Buffer.concat(payloads).toString("utf8");
};
