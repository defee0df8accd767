/** Single faults at their worst moment, in a move of version 1 on x to version 2 on y. */
import "./simulation/built-ins.ts";
import { expect, test } from "vitest";
import { CONTROL_QUEUE } from "../functions/messages.ts";
import type { Fault, Push, Scenario } from "./simulation/scenario.ts";
import type { Installation, Outcome, SimulateOptions } from "./simulation/simulate.ts";

const { CONTROLS, MACHINES } = await import("./simulation/scenario.ts");
const { simulate } = await import("./simulation/simulate.ts");
const { strike } = await import("./simulation/strike.ts");
const { SECRET } = await import("./simulation/clients.ts");

const MOVE_MS = 20_000;
const DAY_MS = 86_400_000;
const TIMEOUT_MS = 300_000;

interface Told extends Outcome {
  readonly move: Outcome["ended"][number];
  readonly installation: Installation;
}

/** The run, in which nothing that must hold was broken, and how the move ended. */
const move = async (
  faults: readonly Fault[],
  behaviour: Push["behaviour"] = "good",
  { also, ...options }: SimulateOptions = {},
): Promise<Told> => {
  const scenario: Scenario = {
    seed: 3,
    isShared: false,
    volumeCount: 1,
    onNodeLoss: "wait",
    pushes: [
      { atMs: 2_000, node: "x", behaviour: "good" },
      { atMs: MOVE_MS, node: "y", behaviour },
    ],
    faults,
  };
  let installation: Installation | null = null;
  const outcome = await simulate(scenario, {
    ...options,
    also: (made) => {
      installation = made;
      also?.(made);
    },
  });
  expect(outcome.breaches).toEqual([]);
  const ended = outcome.ended.find(({ requestId }) => requestId === "gitea.d2");
  if (ended === undefined || installation === null) throw new Error("the move has no receipt");
  return { ...outcome, move: ended, installation };
};

/** Does it once, when the move enters the phase; null: when it has ended. */
const when =
  (phase: string | null, strike: (installation: Installation) => void) =>
  (installation: Installation): void => {
    let isDone = false;
    const { site, laws } = installation;
    const beganAtMs = site.world.nowMs();
    site.world.watch(() => {
      const now = laws.state()?.deploy?.phase.name ?? null;
      const ended = laws.state()?.history.some(({ requestId }) => requestId === "gitea.d2");
      const isIt = phase === null ? ended === true : now === phase;
      if (isDone || !isIt || site.world.nowMs() - beganAtMs < MOVE_MS) return;
      isDone = true;
      strike(installation);
    });
  };

const troubled =
  (trouble: "busy" | "wrong-bytes" | "full", forMs: number) =>
  ({ site }: Installation): void =>
    void site.world.after(forMs, site.store.trouble(trouble, 1));

test("6: a store that answers 503 for ten minutes changes no owner, and the work goes on", async () => {
  const also = when("copying", troubled("busy", 600_000));
  const { move: ended } = await move([], "good", { also, mendedAfterMs: 700_000 });
  expect(ended.result).toBe("deployed");
  expect(ended.endedAtMs - ended.startedAtMs).toBeGreaterThan(600_000);
});

test("8: what comes damaged from the store is not started: the move is rolled back", async () => {
  const also = when("starting", troubled("wrong-bytes", 20_000));
  const { move: ended } = await move([], "good", { also });
  expect(ended.result).toBe("rolled-back");
  expect(ended.reason).toMatch(/pack|snapshot|segment|tree/);
});

test("11: a store that is full in the final delta: the drain is aborted, the old version is back", async () => {
  const also = when("draining", troubled("full", 20_000));
  const { move: ended } = await move([], "good", { also });
  expect(ended.result).toBe("aborted");
  expect(ended.reason).toContain("quota exceeded");
});

test.for(["copying", "draining", "sealed", "starting"] as const)(
  "24: agents and control frozen in %s and thawed later do no harm",
  async (phase) => {
    for (const name of MACHINES) {
      const also = when(phase, (installation) => {
        installation.machine(name).frozenUntilMs = installation.site.world.nowMs() + 90_000;
      });
      expect((await move([], "good", { also })).move.result).toBe("deployed");
    }
  },
);

test("25: a node that loses power in any phase starts what it owns again, and nothing else", async () => {
  for (const phase of ["copying", "draining", "sealed", "starting", null]) {
    for (const name of ["x", "y"]) {
      const also = when(phase, (installation) => installation.node(name).reboot(45_000));
      expect((await move([], "good", { also })).move.result).toBe("deployed");
    }
  }
});

test("27: a container that heeds no signal is killed after its grace, and only then sealed", async () => {
  const faults: Fault[] = [{ kind: "deaf-container", atMs: MOVE_MS, node: "x", forMs: 60_000 }];
  const { move: ended } = await move(faults);
  expect(ended.result).toBe("deployed");
  expect(Object.values(ended.containers)[0]?.outcome.stopped).toBe("killed");
});

test("28: a process of the host that holds the volume: the drain is aborted, and it is named", async () => {
  const faults: Fault[] = [{ kind: "stranger", atMs: MOVE_MS, node: "x", forMs: 60_000 }];
  const { move: ended } = await move(faults);
  expect(ended.result).toBe("aborted");
  expect(ended.reason).toContain("still in use by process 1 (stranger, fd)");
});

// The first try's failure was reported; nothing read it, and it stood in the way of any second try.
test("28: a process that holds what a failed version wrote: the way back waits for its end", async () => {
  const stranger = { kind: "stranger", atMs: 0, node: "y", forMs: 60_000 } as const;
  const also = when("unstarting", (installation) => strike(installation, stranger));
  const { move: ended } = await move([], "sick", { also });
  expect(ended.result).toBe("rolled-back");
  expect(ended.endedAtMs - ended.startedAtMs).toBeGreaterThan(stranger.forMs);
});

test("a drain that is asked for twice moves all that runs on the node once, and loses nothing", async () => {
  const drain = { type: "node.drain.requested", version: 1, id: "monday", node: "x" };
  const also = ({ site }: Installation): void => {
    for (const atMs of [MOVE_MS + 30_000, MOVE_MS + 45_000]) {
      site.world.after(atMs, () => site.queues.send(CONTROL_QUEUE, drain));
    }
  };
  const pushes = [2_000, MOVE_MS].map((atMs) => ({ atMs, node: "x", behaviour: "good" }) as const);
  const scenario = {
    seed: 3,
    isShared: true,
    volumeCount: 2,
    onNodeLoss: "restore",
    pushes,
    faults: [],
  } as const;
  const { breaches, ended, losses } = await simulate(scenario, { also });
  expect(breaches).toEqual([]);
  expect(losses).toBe(0);
  const drained = ended.filter(({ requestId }) => requestId === "drain.x.monday");
  expect(drained).toMatchObject([
    { result: "deployed", containers: { web: { to: "y" }, side: { to: "y" } } },
  ]);
  expect(ended.filter(({ requestId }) => requestId.startsWith("drain."))).toHaveLength(1);
});

test("32: a version that fails right after the commit is not rolled back: its data are newer", async () => {
  const also = when(null, ({ node }) => {
    for (const [name] of node("y").daemon.containers) node("y").daemon.signal(name, "KILL");
  });
  const { results } = await move([], "good", { also });
  expect(results).toEqual(["deployed", "deployed", "deployed"]);
});

test("33: an unhealthy version: the old one runs on the sealed data, the new one's are a branch", async () => {
  const { move: ended, installation } = await move([], "sick");
  expect(ended.result).toBe("rolled-back");
  const branches = Object.values(installation.laws.state()?.volumes ?? {})[0]?.branches;
  expect(branches).toMatchObject([{ node: "y" }]);
});

test("34: the clock of any machine jumps by a day in a move: nothing is lost, one writer", async () => {
  for (const machine of MACHINES) {
    for (const byMs of [86_400_000, -86_400_000] as const) {
      for (const atMs of [MOVE_MS - 5_000, MOVE_MS + 2_000]) {
        const { move: ended } = await move([{ kind: "clock", atMs, machine, byMs }]);
        // Only the control's own clock puts deadlines into the past: then it ends with that reason.
        const isControl = CONTROLS.some((name) => name === machine);
        if (isControl) expect(ended.reason ?? "").toMatch(/^$|in time/);
        else expect(ended.result).toBe("deployed");
      }
    }
  }
});

test("35: a full disk on the target fails the deploy with that reason; the old version never stops", async () => {
  const faults: Fault[] = [{ kind: "disk-full", atMs: MOVE_MS, node: "y", forMs: 60_000 }];
  const { move: ended } = await move(faults);
  expect(ended.result).toBe("failed");
  expect(ended.reason).toMatch(/bytes on y|disk is full/);
  expect(ended.timeline.map(({ phase }) => phase)).not.toContain("draining");
});

test("41: a collector at each step, and one that was paused for a day, deletes nothing needed", {
  timeout: TIMEOUT_MS,
}, async () => {
  const pause = when("draining", (installation) => {
    installation.collect("c2");
    installation.machine("c2").frozenUntilMs = installation.site.world.nowMs() + DAY_MS;
  });
  const also = (installation: Installation): void => {
    pause(installation);
    for (const phase of ["copying", "draining", "sealed", "starting", null]) {
      when(phase, ({ collect }) => collect("c1"))(installation);
    }
    for (const [index, node] of (["x", "y", "x"] as const).entries()) {
      installation.site.world.after(60_000 * (index + 2), () =>
        installation.pusher.push({ node, behaviour: "good" }),
      );
    }
  };
  const { results } = await move([], "good", {
    also,
    mendedAfterMs: DAY_MS + 120_000,
    writeEveryMsMax: 60_000,
  });
  expect(results.filter((result) => result === "deployed").length).toBeGreaterThan(3);
});

test("53: no log line and no object but its own holds the project's secret", async () => {
  const faults: Fault[] = [
    { kind: "store", atMs: MOVE_MS, trouble: "late", share: 0.6, forMs: 30_000 },
    { kind: "reboot", atMs: MOVE_MS + 2_000, node: "x", downMs: 20_000 },
  ];
  const { story, installation } = await move(faults, "sick", { isTold: true });
  expect(story.filter((line) => line.includes("log "))).not.toEqual([]);
  expect(story.filter((line) => line.includes(SECRET))).toEqual([]);
  const holders = [...installation.site.store.objects].filter(([, body]) => body.includes(SECRET));
  expect(holders.map(([key]) => key)).toEqual(["projects/shop/webhook-secret.json"]);
});
