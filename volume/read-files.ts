/** The whole contents of many small files at once: neighbours of a frame are fetched together. */
import type { Extent, FileEntry, Frame } from "./entry.ts";
import { type FrameSource, fetchFrames } from "./hydrate/fetch-frames.ts";

/**
 * The files' bytes, in their order, verified frame by frame. All of them are held: the caller bounds
 * their sum.
 */
export const readFiles = async (
  source: FrameSource,
  files: readonly FileEntry[],
  signal: AbortSignal,
): Promise<Buffer[]> => {
  const contents = files.map(({ size }) => Buffer.alloc(size));
  const frames = new Map<string, Frame>();
  const uses = new Map<string, { readonly extent: Extent; readonly content: Buffer }[]>();
  for (const [index, file] of files.entries()) {
    const content = contents[index] ?? Buffer.alloc(0);
    for (const extent of file.extents) {
      const name = `${extent.frame.pack} ${extent.frame.offset}`;
      frames.set(name, extent.frame);
      uses.set(name, [...(uses.get(name) ?? []), { extent, content }]);
    }
  }
  const place = ({ pack, offset }: Frame, raw: Buffer): void => {
    for (const { extent, content } of uses.get(`${pack} ${offset}`) ?? []) {
      const { frameOffset, length } = extent;
      raw.copy(content, extent.offset, frameOffset, frameOffset + length);
    }
  };
  await fetchFrames(source, [...frames.values()], place, signal);
  return contents;
};
