/** A bar for the long work of a command itself: on stderr, and only where that is a terminal. */
import { createLogUpdate } from "log-update";
import { createProgressRate } from "../functions/progress-rate.ts";
import { type Progress, renderBar } from "./render-progress.ts";

const DRAW_EVERY_MS = 250;

export interface LiveProgress {
  tell(progress: Omit<Progress, "rateBytesPerS" | "atMs">): void;
  end(): void;
}

export const openLiveProgress = (name: string, nowMs: () => number): LiveProgress => {
  if (!process.stderr.isTTY) return { tell: () => undefined, end: () => undefined };
  const live = createLogUpdate(process.stderr);
  const rate = createProgressRate();
  let drawnAtMs = 0;
  return {
    tell: (progress) => {
      const atMs = nowMs();
      if (atMs - drawnAtMs < DRAW_EVERY_MS) return;
      drawnAtMs = atMs;
      const rateBytesPerS = rate.add(progress.doneBytes, atMs);
      live(renderBar(name, { ...progress, rateBytesPerS, atMs }, atMs));
    },
    end: () => live.clear(),
  };
};
