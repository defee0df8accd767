/** `npm run bench -- engine`: the engine's table against its peers, on Ceph RGW, file system by file system. */
import { BENCH_PACKAGES, ensureDebianPackages } from "../infra/lab/debian-packages.ts";
import { attachOrStartLab } from "../infra/lab/lab.ts";
import type { Bench, Row } from "./bench.ts";
import { benchManyFiles, benchVolume, type EngineBench } from "./engine-rows.ts";
import { openRestic } from "./engine-tools.ts";
import type { FileSystemKind } from "./loop-mount.ts";

const KINDS: readonly FileSystemKind[] = ["ext4", "xfs", "btrfs"];
const QUICK_SCALE = 0.1;

export const engineBench: Bench = {
  title: "Engine",
  options: {
    scale: { type: "string", default: "1" },
    on: { type: "string", default: KINDS.join(",") },
    files: { type: "string", default: "100000,1000000" },
  },
  run: async ({ options, isQuick, scratch, log }, signal) => {
    await ensureDebianPackages(BENCH_PACKAGES, signal);
    const lab = await attachOrStartLab({ engines: 0, gateways: 1, elasticmq: false }, log, signal);
    const { s3 } = lab;
    if (s3 === undefined) throw new Error("the lab has no S3 gateway");
    const rows: Row[] = [];
    try {
      const scale = Number(options["scale"]) * (isQuick ? QUICK_SCALE : 1);
      const bench: EngineBench = { s3, restic: openRestic(s3, scratch), scratch, scale, log };
      const wanted = String(options["on"]).split(",");
      for (const kind of KINDS.filter((known) => wanted.includes(known))) {
        rows.push(...(await benchVolume(bench, kind, signal)));
      }
      const counts = isQuick ? [10_000] : String(options["files"]).split(",").map(Number);
      for (const count of counts.filter((count) => count > 0)) {
        rows.push(...(await benchManyFiles(bench, count, signal)));
      }
      return { rows, about: ABOUT };
    } finally {
      await lab.stop(AbortSignal.timeout(120_000));
    }
  },
};

const ABOUT = `Snapshots to and hydrates from Ceph RGW with one OSD, on loop-mounted file systems. "mixed volume": a database of
828 MB and 20,000 files of 2 to 60 KB; the delta is 2,000 random rows of 8 KiB rewritten.`;
