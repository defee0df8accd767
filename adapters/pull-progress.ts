/** What the engine says while it pulls an image, summed over the layers. Pure. */
import * as z from "zod";

export interface ImageProgress {
  readonly doneBytes: number;
  /** Grows while layers announce their sizes. */
  readonly totalBytes: number;
}

export const PullLine = z.object({
  status: z.string().default(""),
  id: z.string().optional(),
  progressDetail: z
    .object({ current: z.number().optional(), total: z.number().optional() })
    .optional(),
  error: z.string().optional(),
});
export type PullLine = z.infer<typeof PullLine>;

export interface PullProgress {
  /** Takes one line; the new sum, or null when the line tells nothing about bytes. */
  add(line: PullLine): ImageProgress | null;
}

/** Only the download counts: it takes the time, and unpacking tells its bytes a second time. */
export const trackPull = (): PullProgress => {
  const layers = new Map<string, { doneBytes: number; totalBytes: number }>();
  return {
    add: ({ id, status, progressDetail }) => {
      if (id === undefined) return null;
      const known = layers.get(id) ?? { doneBytes: 0, totalBytes: 0 };
      if (status === "Downloading") {
        const doneBytes = progressDetail?.current ?? known.doneBytes;
        const totalBytes = Math.max(progressDetail?.total ?? known.totalBytes, doneBytes);
        layers.set(id, { doneBytes, totalBytes });
      } else if (status === "Download complete" || status === "Pull complete") {
        layers.set(id, { doneBytes: known.totalBytes, totalBytes: known.totalBytes });
      } else {
        return null;
      }
      let sum = { doneBytes: 0, totalBytes: 0 };
      for (const layer of layers.values()) {
        sum = {
          doneBytes: sum.doneBytes + layer.doneBytes,
          totalBytes: sum.totalBytes + layer.totalBytes,
        };
      }
      return sum;
    },
  };
};
