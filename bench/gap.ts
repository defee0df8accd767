/**
 * `npm run bench -- gap`: an SQLite application and a PostgreSQL one, under a steady write load, are
 * moved between two Docker hosts over a real RGW; beside it the same move by stop, restic backup,
 * restic restore and start, and by stop, tar over the network and start.
 */
import {
  BENCH_PACKAGES,
  ensureDebianPackages,
  IMAGE_PACKAGES,
} from "../infra/lab/debian-packages.ts";
import { attachOrStartLab } from "../infra/lab/lab.ts";
import type { Bench } from "./bench.ts";
import { openRestic, removeObjects } from "./engine-tools.ts";
import type { Application } from "./gap/application.ts";
import { moveUnderLoad } from "./gap/move-under-load.ts";
import { movePeers } from "./gap/peers.ts";
import { plotGaps } from "./gap/plot.ts";
import { postgresApplication } from "./gap/postgres-application.ts";
import { openGapScene } from "./gap/scene.ts";
import { describeGaps, gapRows, type SizeResult } from "./gap/size-result.ts";
import { sqliteApplication } from "./gap/sqlite-application.ts";

const APPLICATIONS = [sqliteApplication, postgresApplication];
/** The largest must fit into the lab's store twice, for bagage and for restic. */
const SIZES = "16,256,1434,3072";
const QUICK_SIZES = "16,64";

export const gapBench: Bench = {
  title: "Gap",
  options: {
    sizes: { type: "string" },
    on: { type: "string", default: "xfs" },
    /** One of the applications alone. */
    application: { type: "string" },
    /** `off`: what an application holds in memory is left for the stop. */
    "before-copy": { type: "string", default: "on" },
  },
  run: async ({ options, isQuick, scratch, log }, signal) => {
    await ensureDebianPackages([...BENCH_PACKAGES, ...IMAGE_PACKAGES], signal);
    const lab = await attachOrStartLab({ engines: 2, gateways: 1, elasticmq: true }, log, signal);
    const { s3 } = lab;
    if (s3 === undefined) throw new Error("the lab has no S3 gateway");
    const kind = options["on"] === "ext4" ? "ext4" : "xfs";
    const sizes = String(options["sizes"] ?? (isQuick ? QUICK_SIZES : SIZES)).split(",");
    const restic = openRestic(s3, scratch);
    const results: SizeResult[] = [];
    const withoutFlush = ({ flush: _flush, ...rest }: Application): Application => rest;
    const measure = async (application: Application): Promise<void> => {
      const name = `gap${Date.now() % 1_000_000}`;
      const scene = await openGapScene(lab, { name, scratch, kind, application }, signal);
      try {
        await scene.deploy(0);
        for (const mib of sizes.map(Number)) {
          const moved = await moveUnderLoad(scene, { mib, log }, signal);
          const repository = `${name}-restic-${mib}`;
          const peers = await movePeers(scene, restic(repository), signal);
          await removeObjects({ s3 }, repository, signal);
          results.push({ application: application.name, mib, ...moved, peers });
          log(`${application.name}, ${mib} MiB: ${JSON.stringify(results.at(-1))}`);
        }
      } finally {
        await scene.close();
        await removeObjects({ s3: { ...s3, bucket: `inst-${name}` } }, "", signal);
      }
    };
    try {
      const only = options["application"];
      const chosen = APPLICATIONS.filter(({ name }) => only === undefined || name === only);
      for (const application of chosen) {
        await measure(options["before-copy"] === "off" ? withoutFlush(application) : application);
      }
      const plots = new Map([["benchmarks-gap.svg", plotGaps(results)]]);
      return { rows: gapRows(results, kind), about: describeGaps(results), plots };
    } finally {
      await lab.stop(AbortSignal.timeout(120_000));
    }
  },
};
