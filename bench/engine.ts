/** `npm run bench -- engine`: the engine's table against its peers, on Ceph RGW, file system by file system. */
import { BENCH_PACKAGES, ensureDebianPackages } from "../infra/lab/debian-packages.ts";
import { attachOrStartLab } from "../infra/lab/lab.ts";
import type { Bench, Row } from "./bench.ts";
import type { EngineBench } from "./engine-bench.ts";
import { benchGrowth } from "./engine-growth.ts";
import { benchManyFiles } from "./engine-many-files.ts";
import { openRestic } from "./engine-tools.ts";
import { benchVolume } from "./engine-volume.ts";
import type { FileSystemKind } from "./loop-mount.ts";

const KINDS: readonly FileSystemKind[] = ["ext4", "xfs", "btrfs"];
const QUICK_SCALE = 0.1;

export const engineBench: Bench = {
  title: "Engine",
  options: {
    scale: { type: "string", default: "1" },
    on: { type: "string", default: KINDS.join(",") },
    rounds: { type: "string", default: "2" },
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
      const restic = openRestic(s3, scratch);
      const rounds = isQuick ? 1 : Number(options["rounds"]);
      const bench: EngineBench = { s3, restic, scratch, scale, rounds, log };
      const wanted = String(options["on"]).split(",");
      for (const kind of KINDS.filter((known) => wanted.includes(known))) {
        rows.push(...(await benchVolume(bench, kind, signal)));
      }
      const counts = isQuick ? [10_000] : String(options["files"]).split(",").map(Number);
      rows.push(
        ...(await benchManyFiles(
          bench,
          counts.filter((count) => count > 0),
          signal,
        )),
      );
      const plot = await benchGrowth(bench, signal);
      return { rows, about: ABOUT, plots: new Map([["benchmarks-growth.svg", plot]]) };
    } finally {
      await lab.stop(AbortSignal.timeout(120_000));
    }
  },
};

const ABOUT = `Snapshots to and hydrates from Ceph RGW with one OSD, on loop-mounted file systems, with client, gateway and disk on the
same processors. The volume: a database of 828 MB and 20,000 files of 2 to 60 KB, three quarters text; the delta is 2,000
random rows of 8 KiB rewritten since a deploy's last round, three times over. Ours and theirs take turns; a row is the
median of its rounds. bagage is timed as in its daemon: the operation, not the start of the process. Hydrates end when the data
are on the disk, and so do their peers where it says "synced". The picture: 1,000 rows changed in databases of growing size on XFS.`;
