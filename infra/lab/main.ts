/**
 * The lab by hand: `up` starts one (and stays until Ctrl-C, or leaves it with --detach), `down` ends
 * labs, `status` lists them. Run it through infra/setup.mjs.
 */
import { parseArgs } from "node:util";
import { BagageError } from "../../volume/errors.ts";
import { disownClaim, listClaims } from "./claims.ts";
import { descriptionFile, FULL_LAB, LABS_DIRECTORY, STOP_TIMEOUT_MS, startLab } from "./lab.ts";
import { isLabAlive, removeDeadLabs, removeLab } from "./remove-lab.ts";

const USAGE = `usage: node infra/setup.mjs infra/lab/main.ts <command>

  up [--detach] [--engines N] [--gateways N] [--no-elasticmq]
           Starts a lab: ${FULL_LAB.engines} Docker engines, Ceph with ${FULL_LAB.gateways} S3 gateways and ElasticMQ, unless told
           otherwise. Stays until Ctrl-C; with --detach the lab runs on until \`down\`.
  down [ID...] [--all]
           Ends the labs named, or those of this work tree, or all on this machine.
  status   Lists the labs on this machine.

To run tests against a lab that is up: BAGAGE_LAB=<its lab.json> vitest run --project lab
`;

const OPTIONS = {
  detach: { type: "boolean", default: false },
  all: { type: "boolean", default: false },
  engines: { type: "string", default: String(FULL_LAB.engines) },
  gateways: { type: "string", default: String(FULL_LAB.gateways) },
  "no-elasticmq": { type: "boolean", default: false },
} as const;

const main = async (): Promise<number> => {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const [command, ...ids] = positionals;
  switch (command) {
    case "up": {
      const engines = Number(values.engines);
      const gateways = Number(values.gateways);
      return up({ engines, gateways, elasticmq: !values["no-elasticmq"] }, values.detach);
    }
    case "down":
      return down(ids, values.all);
    case "status":
      return status();
    default:
      console.error(USAGE);
      return 64;
  }
};

const up = async (parts: typeof FULL_LAB, detach: boolean): Promise<number> => {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => interrupted.abort(new Error(`Interrupted by ${name}`)));
  }
  const lab = await startLab(parts, console.log, interrupted.signal);
  console.log(`Lab ${lab.id} is up: ${descriptionFile(lab.directory)}`);
  if (detach) {
    for (const claim of listClaims().filter(({ id }) => id === lab.id)) disownClaim(claim);
    return 0;
  }
  console.log("Ctrl-C ends it.");
  await untilAborted(interrupted.signal);
  await lab.stop(AbortSignal.timeout(STOP_TIMEOUT_MS));
  console.log(`Lab ${lab.id} has ended.`);
  return 0;
};

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    // A pending promise does not keep a process alive; a timer does.
    const keepAlive = setInterval(() => {}, 60_000);
    const end = () => {
      clearInterval(keepAlive);
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });

const down = async (ids: readonly string[], all: boolean): Promise<number> => {
  const signal = AbortSignal.timeout(STOP_TIMEOUT_MS);
  const own = `${LABS_DIRECTORY}/`;
  const chosen = listClaims().filter(({ id, directory }) =>
    ids.length > 0 ? ids.includes(id) : all || directory.startsWith(own),
  );
  for (const claim of chosen) {
    await removeLab(claim, signal);
    console.log(`Lab ${claim.id} has ended.`);
  }
  for (const id of await removeDeadLabs(signal)) console.log(`Lab ${id} was dead: removed.`);
  return ids.every((id) => chosen.some((claim) => claim.id === id)) ? 0 : 1;
};

const status = async (): Promise<number> => {
  const signal = AbortSignal.timeout(STOP_TIMEOUT_MS);
  for (const claim of listClaims()) {
    const state = (await isLabAlive(claim, signal)) ? "up" : "dead";
    const owner = claim.owner === null ? "left running" : `owned by process ${claim.owner.pid}`;
    console.log(`${claim.id}  ${state}  ${owner}  ${descriptionFile(claim.directory)}`);
  }
  return 0;
};

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (error instanceof BagageError && error.hint) console.error(error.hint);
  process.exitCode = 1;
}
