/**
 * What a process counts, for Prometheus (prom-client: the field's own, typed, no native parts). The
 * numbers are taken where the work passes through: the ports are wrapped, and the rules know nothing
 * of it. docs/operations.md lists the names.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { eventsBetween } from "../workflows/events/events-between.ts";
import type { ProjectState } from "../workflows/record.ts";
import type { StoreCall } from "./meter-store.ts";
import type { ProjectRecords } from "./project-records.ts";

export interface Metrics {
  /** The text format of Prometheus. */
  render(): Promise<string>;
  readonly contentType: string;
  /** A call of the store ended. */
  storeCalled(call: StoreCall): void;
  /** A request went to the queues' broker: `SendMessageBatch`, `ReceiveMessage`, … */
  queueCalled(action: string): void;
  /** The same records; what each new revision tells is counted: deploys, gaps, phases. */
  meterRecords(records: ProjectRecords): ProjectRecords;
  /** A message was taken from a queue so long after it was sent. */
  messageTaken(queue: string, lagMs: number): void;
  /** A volume's bytes went to the store, or came from it, or were on the node already. */
  volumeMoved(direction: "stored" | "fetched" | "reused", bytes: number): void;
  /** Bytes of volumes kept for a later move, asked for at each scrape. */
  watchCaches(readBytes: () => Promise<number>): void;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const MS = 1_000;

export const createMetrics = (): Metrics => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "bagage_" });
  const instruments = createInstruments([registry]);
  return {
    render: () => registry.metrics(),
    contentType: registry.contentType,
    storeCalled: ({ operation, outcome, seconds }) =>
      instruments.storeCalls.observe({ operation, outcome }, seconds),
    queueCalled: (action) => instruments.queueCalls.inc({ action }),
    meterRecords: (records) => ({
      ...records,
      save: async (project, previous, state, signal) => {
        const saved = await records.save(project, previous, state, signal);
        countDeploys(instruments, previous?.state ?? null, state);
        return saved;
      },
    }),
    messageTaken: (queue, lagMs) => instruments.lag.observe({ queue }, Math.max(0, lagMs) / MS),
    volumeMoved: (direction, bytes) => instruments.bytes.inc({ direction }, bytes),
    watchCaches: (readBytes) => watchCaches(registry, readBytes),
  };
};

type Instruments = ReturnType<typeof createInstruments>;

const createInstruments = (registers: Registry[]) => ({
  storeCalls: new Histogram({
    name: "bagage_store_request_seconds",
    help: "Calls of the object store, by operation and outcome",
    labelNames: ["operation", "outcome"],
    buckets: SECONDS,
    registers,
  }),
  queueCalls: new Counter({
    name: "bagage_queue_requests_total",
    help: "Requests to the queues' broker, by action; empty long polls are requests too",
    labelNames: ["action"],
    registers,
  }),
  deploys: new Counter({
    name: "bagage_deploys_total",
    help: "Deploys that ended, by result",
    labelNames: ["result"],
    registers,
  }),
  gaps: new Histogram({
    name: "bagage_deploy_gap_seconds",
    help: "From the stop of the old containers to the first health of the new ones",
    buckets: SECONDS,
    registers,
  }),
  phases: new Histogram({
    name: "bagage_deploy_phase_seconds",
    help: "How long deploys were in each phase",
    labelNames: ["phase"],
    buckets: SECONDS,
    registers,
  }),
  lag: new Histogram({
    name: "bagage_queue_lag_seconds",
    help: "From the sending of a message to its receipt",
    labelNames: ["queue"],
    buckets: SECONDS,
    registers,
  }),
  bytes: new Counter({
    name: "bagage_volume_bytes_total",
    help: "Bytes of volumes stored, fetched, or found on the node already",
    labelNames: ["direction"],
    registers,
  }),
});

/** By whoever wrote the revision, so that several processes count each deploy once. */
const countDeploys = (
  { deploys, gaps, phases }: Instruments,
  before: ProjectState | null,
  after: ProjectState,
): void => {
  for (const event of eventsBetween(before, after)) {
    if (event.type !== "deploy.ended") continue;
    deploys.inc({ result: event.result });
    if (event.gapMs !== null) gaps.observe(event.gapMs / MS);
    const timeline = after.history.find(({ id }) => id === event.deployId)?.timeline ?? [];
    for (const [index, { phase, atMs }] of timeline.entries()) {
      const until = timeline[index + 1]?.atMs;
      const name = phase.split(" ")[0] ?? phase;
      if (until !== undefined) phases.observe({ phase: name }, Math.max(0, until - atMs) / MS);
    }
  }
};

const watchCaches = (registry: Registry, readBytes: () => Promise<number>): void => {
  new Gauge({
    name: "bagage_cache_bytes",
    help: "Bytes of volumes kept warm on this node",
    registers: [registry],
    async collect() {
      this.set(await readBytes());
    },
  });
};
