/** The moves of one size: what the record says of each, and what a client that writes saw. */
import { explainGap } from "../../workflows/deploy/explain-gap.ts";
import type { GapScene } from "./scene.ts";
import { settleDisk } from "./settle-disk.ts";
import type { SizeResult } from "./size-result.ts";
import { startWriteLoad } from "./write-load.ts";

const MIB = 2 ** 20;
export const MOVES = 5;

/** The middle one of the moves by its gap. */
export const moveUnderLoad = async (
  scene: GapScene,
  { mib, log }: { readonly mib: number; readonly log: (line: string) => void },
  signal: AbortSignal,
): Promise<Omit<SizeResult, "application" | "mib" | "peers">> => {
  const { clients } = scene;
  let place = await findPlace(scene);
  await scene.untilServed(() => clients.fill(place, mib * MIB));
  // No number comes twice, over all sizes.
  const first = Date.now() * 100;
  const load = startWriteLoad(place, (node, n, either) => clients.write(node, first + n, either));
  const moves = [];
  for (let i = 0; i < MOVES; i += 1) {
    place = 1 - place;
    await settleDisk(signal);
    load.takeLongestSilenceMs();
    const ended = await scene.deploy(place);
    await load.untilAnswered(signal);
    const [volume] = Object.values(ended.volumes);
    moves.push({
      gapMs: ended.gapMs ?? 0,
      predictedMs: ended.predictedPauseMs,
      silenceMs: load.takeLongestSilenceMs(),
      parts: explainGap(ended)
        .map((part) => `${part.name} ${part.ms}`)
        .join(", "),
      bytes: volume?.sealed?.bytes ?? 0,
      movedBytes: (volume?.sealed?.storedBytes ?? 0) + (volume?.hydrated?.fetchedBytes ?? 0),
    });
    log(`${mib} MiB, move ${i + 1}: ${JSON.stringify(moves.at(-1))}`);
  }
  const acknowledged = await load.stop();
  const there = new Set(await clients.noted(place));
  const lost = acknowledged.filter((n) => !there.has(first + n));
  if (lost.length > 0) throw new Error(`${lost.length} acknowledged writes are lost`);
  const [median] = moves.sort((a, b) => a.gapMs - b.gapMs).slice(Math.floor(MOVES / 2));
  if (median === undefined) throw new Error("nothing was moved");
  return median;
};

const findPlace = async (scene: GapScene): Promise<number> => {
  const { containers } = await scene.state();
  const [node] = Object.values(containers).map((container) => container.node);
  return scene.nodes.findIndex(({ name }) => name === node);
};
