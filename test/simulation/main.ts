/**
 * `npm run simulate -- --seeds 5000` runs as many worlds, on every core; `--seed 17` replays one and
 * tells its story; a failing one is told with the smallest scenario that still fails.
 */
import "./built-ins.ts";

const { runSimulator } = await import("./run-simulator.ts");
process.exitCode = await runSimulator(process.argv.slice(2));
