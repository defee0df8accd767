/**
 * What becomes of a move when somebody dies in it: version 1 serves on x, version 2 is pushed to y, and
 * at one step of the protocol one process is killed, before the step's effect or after it without
 * hearing of it; or a daemon, a whole machine or the store is away while a phase lasts.
 */
import type { Moment } from "./machine.ts";
import type { Scenario } from "./scenario.ts";
import { type Installation, type Outcome, simulate } from "./simulate.ts";

interface Step {
  readonly step: string;
  readonly who: "control" | "x" | "y";
  readonly what: string;
  /** The call that is the step's effect. */
  readonly call: RegExp;
  /** The phase that the deploy is in when the call is made; null: before it is planned, or at rest. */
  readonly phase: string | null;
  /** Where the effect is the next revision: the phase that it leads to. */
  readonly next?: string | null;
}

const REVISION = /^create .*\/record\//;
const step = (
  number: string,
  who: Step["who"],
  what: string,
  call: RegExp,
  phase: string | null,
  next: string | null = phase,
): Step => ({ step: number, who, what, call, phase, next });

const STEPS: readonly Step[] = [
  step("1 push", "control", "notes the delivery", /^create .*\/inbox\//, null),
  step("1 push", "control", "keeps the request", /^put pending\//, null),
  step("1 push", "control", "sends the hint", /^send project\.hint/, null),
  step("2 plan", "control", "writes the deploy into the record", REVISION, null, "copying"),
  step("2 plan", "control", "asks x for a copy", /^send volume\.snapshot/, "copying"),
  step("3 copy", "x", "stores a pack", /^put .*copy-1.*\/p-\d/, "copying"),
  step("3 copy", "x", "stores the snapshot", /^put .*\/snapshots\/.*copy-1/, "copying"),
  step("3 copy", "x", "writes its report", /^create .*\/copy-1\.x\.json/, "copying"),
  step("3 copy", "x", "tells the queue", /^send hint/, "copying"),
  step("4 prepare", "y", "gets the image", /^docker image/, "copying"),
  step("4 prepare", "y", "hydrates the copy", /^engine hydrate/, "copying"),
  step("4 prepare", "y", "writes its report", /^create .*\/prepare-2\.y\.json/, "copying"),
  step("5 drain", "control", "writes draining into the record", REVISION, "copying", "draining"),
  step("5 drain", "control", "asks x to stop", /^send containers\.stop/, "draining"),
  step("6 seal", "x", "raises its fence", /^fence raise/, "draining"),
  step("6 seal", "x", "stops the container", /^docker SIGTERM/, "draining"),
  step("6 seal", "x", "removes the container", /^docker remove/, "draining"),
  step("6 seal", "x", "renames the directory away", /^disk moveCopy/, "draining"),
  step("6 seal", "x", "stores the final snapshot", /^put .*\/snapshots\/.*seal/, "draining"),
  step("6 seal", "x", "marks its copy as sealed", /^disk writeMarker/, "draining"),
  step("6 seal", "x", "writes its report", /^create .*\/seal-.*\.x\.json/, "draining"),
  step(
    "7 sealed, 9 starting",
    "control",
    "checks the head and writes starting",
    REVISION,
    "draining",
    "starting",
  ),
  step("10 start", "y", "raises its fence", /^fence raise/, "starting"),
  step("8 hydrate", "y", "fetches the last delta", /^engine hydrate/, "starting"),
  step("8 hydrate", "y", "marks what it holds", /^disk writeMarker/, "starting"),
  step("10 start", "y", "renames the copy into place", /^disk moveCopy/, "starting"),
  step("10 start", "y", "creates the container", /^docker create/, "starting"),
  step("10 start", "y", "starts the container", /^docker start/, "starting"),
  step("10 start", "y", "writes its report", /^create .*\/start-.*\.y\.json/, "starting"),
  step("11 commit", "control", "writes the commit", REVISION, "starting", null),
  step("11 commit", "control", "tells the nodes", /^send node\.hint/, null),
  step("12 serve", "y", "opens the gate", /^gate open/, null),
  step("13 after", "control", "collects garbage", /^delete .*\/volumes\//, null),
];

/** Version 2 never becomes healthy: the way back. */
const STEPS_BACK: readonly Step[] = [
  step(
    "unstart",
    "control",
    "writes unstarting into the record",
    REVISION,
    "starting",
    "unstarting",
  ),
  step("unstart", "y", "raises its fence", /^fence raise/, "unstarting"),
  step("unstart", "y", "stops the container", /^docker SIGTERM/, "unstarting"),
  step("unstart", "y", "keeps the data as a branch", /^disk moveCopy/, "unstarting"),
  step("unstart", "y", "writes its report", /^create .*\/unstart-.*\.y\.json/, "unstarting"),
  step(
    "return",
    "control",
    "writes returning into the record",
    REVISION,
    "unstarting",
    "returning",
  ),
  step("return", "x", "takes its sealed copy again", /^disk moveCopy/, "returning"),
  step("return", "x", "starts the container", /^docker start/, "returning"),
  step("return", "x", "writes its report", /^create .*\/return-.*\.x\.json/, "returning"),
  step("return", "control", "writes the end", REVISION, "returning", null),
];

const PHASES = ["copying", "draining", "starting"] as const;

/** What else may be away, from a phase's beginning on. */
const OUTAGES: readonly {
  readonly what: string;
  readonly begin: (installation: Installation) => void;
}[] = [
  { what: "the Docker daemon of x restarts", begin: (i) => restartDaemon(i, "x") },
  { what: "the Docker daemon of y restarts", begin: (i) => restartDaemon(i, "y") },
  { what: "x loses power for a minute", begin: (i) => i.node("x").reboot(OUTAGE_MS) },
  { what: "y loses power for a minute", begin: (i) => i.node("y").reboot(OUTAGE_MS) },
  {
    what: "the store answers nobody for a minute",
    begin: ({ site }) => void site.world.after(OUTAGE_MS, site.store.trouble("busy", 1)),
  },
  {
    what: "every message is lost for a minute",
    begin: ({ site }) => void site.world.after(OUTAGE_MS, site.queues.trouble("lose", 1)),
  },
];

const OUTAGE_MS = 60_000;
const DAEMON_MS = 10_000;
const RESTART_MS = 5_000;
/** The last push of a run comes later, and is not what is looked at. */
const WATCHED_MS = 200_000;
const SECOND_PUSH_MS = 20_000;

const MOVE: Scenario = {
  seed: 1,
  isShared: false,
  volumeCount: 1,
  onNodeLoss: "wait",
  pushes: [
    { atMs: 2_000, node: "x", behaviour: "good" },
    { atMs: SECOND_PUSH_MS, node: "y", behaviour: "good" },
  ],
  faults: [],
};

const MOVE_BACK: Scenario = {
  ...MOVE,
  pushes: MOVE.pushes.map((push) =>
    push.node === "y" ? { ...push, behaviour: "sick" as const } : push,
  ),
};

const restartDaemon = ({ site, node }: Installation, name: string): void => {
  const { daemon } = node(name);
  daemon.isDown = true;
  daemon.endAll();
  site.world.after(DAEMON_MS, () => {
    daemon.isDown = false;
  });
};

/** The table as Markdown. Throws when something that must hold did not, or a step was never reached. */
export const makeCrashTable = async (): Promise<string> => {
  const killed = await rowsOf(STEPS, MOVE);
  const killedBack = await rowsOf(STEPS_BACK, MOVE_BACK);
  const away: string[] = [];
  for (const { what, begin } of OUTAGES) {
    const cells: string[] = [];
    for (const phase of PHASES) cells.push(await outcomeOfOutage(phase, begin));
    away.push(`| ${what} | ${cells.join(" | ")} |`);
  }
  return [
    "# Crash table",
    "",
    "Version 1 serves on x, and version 2 is pushed to y. At one step of the [protocol](protocol.md) the process that carries it out is killed: before the step's effect, or after it without hearing of it; five seconds later it runs again. In every cell all acknowledged records are there, once and in order, on the node that serves, and the next push is deployed. The time is the longest without an open port.",
    "",
    "| step | who is killed when it … | before the effect | after it |",
    "| --- | --- | --- | --- |",
    ...killed,
    "",
    "The way back, of a version 2 that never becomes healthy:",
    "",
    "| step | who is killed when it … | before the effect | after it |",
    "| --- | --- | --- | --- |",
    ...killedBack,
    "",
    "The same move, with a part of the installation away from the beginning of a phase:",
    "",
    `| what happens | in ${PHASES.join(" | in ")} |`,
    `| --- | ${PHASES.map(() => "---").join(" | ")} |`,
    ...away,
    "",
    "Written by `test/crash-table.test.ts` from runs of the simulator; the test fails when an outcome changes.",
    "",
  ].join("\n");
};

const rowsOf = async (steps: readonly Step[], scenario: Scenario): Promise<string[]> => {
  const rows: string[] = [];
  for (const one of steps) {
    const before = await outcomeOf(one, scenario, "before");
    const after = await outcomeOf(one, scenario, "after");
    rows.push(`| ${one.step} | ${one.who} ${one.what} | ${before} | ${after} |`);
  }
  return rows;
};

const phaseOf = ({ laws }: Installation): string | null => laws.state()?.deploy?.phase.name ?? null;

const isMoving = ({ site }: Installation, beganAtMs: number): boolean =>
  site.world.nowMs() - beganAtMs >= SECOND_PUSH_MS;

const outcomeOf = async (one: Step, scenario: Scenario, moment: Moment): Promise<string> => {
  let isStruck = false;
  let pause: Pause | null = null;
  const outcome = await simulate(scenario, {
    also: (installation) => {
      const beganAtMs = installation.site.world.nowMs();
      pause = watchPause(installation, beganAtMs);
      for (const name of one.who === "control" ? ["c1", "c2"] : [one.who]) {
        const machine = installation.machine(name);
        machine.strike = (what, when) => {
          const phase = moment === "before" ? one.phase : one.next;
          const isIt = when === moment && one.call.test(what) && phaseOf(installation) === phase;
          if (isStruck || !isIt || !isMoving(installation, beganAtMs)) return false;
          isStruck = true;
          machine.kill(RESTART_MS);
          return true;
        };
      }
    },
  });
  if (!isStruck) throw new Error(`${one.step}: ${one.who} never ${one.what}`);
  return describe(outcome, pause);
};

interface Pause {
  longestMs: number;
}

/** How long no port was open at a stretch, until the world is mended. */
const watchPause = (installation: Installation, beganAtMs: number): Pause => {
  const { world } = installation.site;
  const pause: Pause = { longestMs: 0 };
  let servedAtMs: number | null = null;
  world.watch(() => {
    const nowMs = world.nowMs();
    if (nowMs - beganAtMs > WATCHED_MS) return;
    const serves = ["x", "y"].some((name) => {
      const { gates, daemon } = installation.node(name);
      const runs = [...daemon.containers.values()].some(({ held }) => held.length > 0);
      return runs && (gates?.list().length ?? 0) > 0;
    });
    if (!serves) return;
    if (servedAtMs !== null) pause.longestMs = Math.max(pause.longestMs, nowMs - servedAtMs);
    servedAtMs = nowMs;
  });
  return pause;
};

const outcomeOfOutage = async (
  phase: string,
  begin: (installation: Installation) => void,
): Promise<string> => {
  let hasBegun = false;
  let pause: Pause | null = null;
  const outcome = await simulate(MOVE, {
    also: (installation) => {
      const beganAtMs = installation.site.world.nowMs();
      pause = watchPause(installation, beganAtMs);
      installation.site.world.watch(() => {
        if (hasBegun || phaseOf(installation) !== phase || !isMoving(installation, beganAtMs))
          return;
        hasBegun = true;
        begin(installation);
      });
    },
  });
  if (!hasBegun) throw new Error(`the deploy is never ${phase}`);
  return describe(outcome, pause);
};

/** In words that say where the application is afterwards, and for how long it was nowhere. */
const describe = ({ breaches, ended }: Outcome, pause: Pause | null): string => {
  if (breaches.length > 0) throw new Error(breaches.join("; "));
  const move = ended.find(({ requestId }) => requestId === "gitea.d2");
  const where = WHERE[move?.result ?? ""];
  if (where === undefined) throw new Error(`the move ended ${move?.result}: ${move?.reason}`);
  const length = LENGTHS.find(({ belowMs }) => (pause?.longestMs ?? 0) < belowMs);
  return `${where}, down ${length?.words ?? "longer"}`;
};

const WHERE: Readonly<Record<string, string>> = {
  deployed: "version 2 on y",
  aborted: "aborted: version 1 stays on x",
  failed: "failed: version 1 stays on x",
  "rolled-back": "rolled back: version 1 on x",
};

/** Coarse on purpose: a change of some milliseconds is not another outcome. */
const LENGTHS: readonly { readonly belowMs: number; readonly words: string }[] = [
  { belowMs: 20_000, words: "below 20 s" },
  { belowMs: 50_000, words: "below 50 s" },
  { belowMs: 120_000, words: "below 2 min" },
];
