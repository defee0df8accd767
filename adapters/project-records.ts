/**
 * Project records on the object store: a chain of immutable revisions, each created once. This is
 * the only writer of records; what a revision may say is decided in workflows/.
 */
import * as z from "zod";
import { AmbiguousError, ConflictError, RetryableError, TerminalError } from "../volume/errors.ts";
import type { ObjectStore } from "../volume/object-store.ts";
import { type ProjectId, Revision } from "../workflows/ids.ts";
import { type ProjectState, RECORD_SCHEMA, RecordRevision } from "../workflows/record.ts";
import { systemClock } from "./clock.ts";
import { recordHintKey, recordKey, recordPrefix } from "./store-keys.ts";

/** A hint on every n-th revision: a reader makes at most n extra requests, a writer 1/n. */
const HINT_EVERY = 8;
/** A reader that is so far behind asks the hint how far it really is. */
const HINT_AFTER = 4;
const AMBIGUOUS_TRIES_MAX = 60;
const AMBIGUOUS_PAUSE_MAX_MS = 5_000;

export interface LoadedRecord {
  readonly rev: Revision;
  readonly writeId: string;
  readonly state: ProjectState;
}

export interface ProjectRecords {
  /**
   * The newest revision, or null when the project does not exist. `hinted`: one that somebody says
   * is there; what lies between it and the one known here is not read.
   */
  load(project: ProjectId, signal: AbortSignal, hinted?: Revision): Promise<LoadedRecord | null>;
  /** One revision as it was written, or null when it is not there. */
  at(project: ProjectId, rev: Revision, signal: AbortSignal): Promise<RecordRevision | null>;
  /**
   * Writes the revision after `previous` (null: the first). Throws ConflictError when another
   * writer was first: reload and decide again. Safe to repeat after any other error.
   */
  save(
    project: ProjectId,
    previous: LoadedRecord | null,
    state: ProjectState,
    signal: AbortSignal,
  ): Promise<LoadedRecord>;
}

export interface ProjectRecordsOptions {
  readonly store: ObjectStore;
  readonly nowMs: () => number;
  readonly newUuid: () => string;
  /** Waits up to so long before an ambiguous write is sent again. Default: a random part of it. */
  readonly pause?: (maxMs: number, signal: AbortSignal) => Promise<void>;
}

const pauseWithJitter = (maxMs: number, signal: AbortSignal): Promise<void> =>
  systemClock.sleep(maxMs * Math.random(), signal);

export const openProjectRecords = (options: ProjectRecordsOptions): ProjectRecords => {
  const newestSeen = new Map<ProjectId, LoadedRecord>();
  const remember = (project: ProjectId, record: LoadedRecord): LoadedRecord => {
    if ((newestSeen.get(project)?.rev ?? -1) < record.rev) newestSeen.set(project, record);
    return record;
  };
  return {
    load: async (project, signal, hinted) => {
      const seen = newestSeen.get(project) ?? null;
      const isBehind = hinted !== undefined && (seen?.rev ?? -1) + 1 < hinted;
      const told = isBehind ? await readRevision(options.store, project, hinted, signal) : null;
      const start = told ?? seen ?? (await findStart(options.store, project, signal));
      if (start === null) return null;
      return remember(project, await walkOn(options.store, project, start, signal));
    },
    at: (project, rev, signal) => readWhole(options.store, project, rev, signal),
    save: async (project, previous, state, signal) => {
      const revision: RecordRevision = {
        schema: RECORD_SCHEMA,
        rev: previous === null ? Revision.parse(0) : after(previous.rev),
        writeId: options.newUuid(),
        prevWriteId: previous?.writeId ?? null,
        writtenAtMs: options.nowMs(),
        state,
      };
      await createRevision(options, project, revision, signal);
      if (revision.rev % HINT_EVERY === 0)
        await writeHint(options.store, project, revision, signal);
      return remember(project, { rev: revision.rev, writeId: revision.writeId, state });
    },
  };
};

const after = (rev: Revision): Revision => Revision.parse(rev + 1);

const encode = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** Repeats the same body under the same write id until the store says stored or exists. */
const createRevision = async (
  { store, pause = pauseWithJitter }: ProjectRecordsOptions,
  project: ProjectId,
  revision: RecordRevision,
  signal: AbortSignal,
): Promise<void> => {
  const key = recordKey(project, revision.rev);
  const body = encode(revision);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const options = { ifAbsent: true, contentType: "application/json" };
      if ((await store.put(key, body, options, signal)) === "stored") return;
      const found = await readRevision(store, project, revision.rev, signal);
      if (found?.writeId === revision.writeId) return;
      throw new ConflictError(`revision ${revision.rev} of ${project} was written by another`, {
        code: "record-conflict",
      });
    } catch (error) {
      const isUnknown = error instanceof AmbiguousError || error instanceof RetryableError;
      if (!isUnknown || attempt >= AMBIGUOUS_TRIES_MAX) throw error;
      await pause(Math.min(50 * 2 ** attempt, AMBIGUOUS_PAUSE_MAX_MS), signal);
    }
  }
};

/** A lost hint costs later readers a listing, so its failure is no failure of the write. */
const writeHint = async (
  store: ObjectStore,
  project: ProjectId,
  { rev }: RecordRevision,
  signal: AbortSignal,
): Promise<void> => {
  try {
    await store.put(recordHintKey(project), encode({ rev }), {}, signal);
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error;
  }
};

/** From any revision to the newest. */
const walkOn = async (
  store: ObjectStore,
  project: ProjectId,
  start: LoadedRecord,
  signal: AbortSignal,
): Promise<LoadedRecord> => {
  let newest = start;
  for (let behind = 1; ; behind += 1) {
    const next = await readRevision(store, project, after(newest.rev), signal);
    if (next === null) return newest;
    newest = next;
    if (behind !== HINT_AFTER) continue;
    const hinted = await readHint(store, project, signal);
    if (hinted === null || hinted <= newest.rev) continue;
    newest = (await readRevision(store, project, hinted, signal)) ?? newest;
  }
};

/** Any revision to walk forward from: the hinted one, or else the last that a listing shows. */
const findStart = async (
  store: ObjectStore,
  project: ProjectId,
  signal: AbortSignal,
): Promise<LoadedRecord | null> => {
  const hint = await readHint(store, project, signal);
  const hinted = hint === null ? null : await readRevision(store, project, hint, signal);
  if (hinted !== null) return hinted;
  let last: Revision | null = null;
  for await (const { key } of store.list(recordPrefix(project), signal)) {
    const rev = Revision.safeParse(Number.parseInt(key.slice(recordPrefix(project).length), 10));
    if (rev.success) last = rev.data;
  }
  return last === null ? null : await readRevision(store, project, last, signal);
};

const Hint = z.object({ rev: Revision });

const readHint = async (
  store: ObjectStore,
  project: ProjectId,
  signal: AbortSignal,
): Promise<Revision | null> => {
  const hint = await store.get(recordHintKey(project), signal);
  if (hint === null) return null;
  return Hint.safeParse(JSON.parse(Buffer.from(hint).toString("utf8"))).data?.rev ?? null;
};

const readRevision = async (
  store: ObjectStore,
  project: ProjectId,
  rev: Revision,
  signal: AbortSignal,
): Promise<LoadedRecord | null> => {
  const found = await readWhole(store, project, rev, signal);
  return found === null ? null : { rev: found.rev, writeId: found.writeId, state: found.state };
};

const readWhole = async (
  store: ObjectStore,
  project: ProjectId,
  rev: Revision,
  signal: AbortSignal,
): Promise<RecordRevision | null> => {
  const body = await store.get(recordKey(project, rev), signal);
  if (body === null) return null;
  return parseRevision(project, rev, body);
};

const parseRevision = (project: ProjectId, rev: Revision, body: Uint8Array): RecordRevision => {
  const json: unknown = JSON.parse(Buffer.from(body).toString("utf8"));
  const schema = (json as { schema?: unknown } | null)?.schema;
  if (typeof schema === "number" && schema > RECORD_SCHEMA) {
    throw new TerminalError(
      `record ${rev} of ${project} has schema ${schema}; this version understands ${RECORD_SCHEMA}`,
      { code: "record-too-new", hint: "upgrade this process; the record was left untouched" },
    );
  }
  const parsed = RecordRevision.safeParse(json);
  if (!parsed.success) {
    const news = parsed.error.issues.flatMap(newsIn);
    if (news.length > 0) {
      throw new TerminalError(
        `record ${rev} of ${project} has what this version does not know: ${news.join(", ")}`,
        { code: "record-too-new", hint: "upgrade this process; the record was left untouched" },
      );
    }
    throw new TerminalError(`record ${rev} of ${project} is not a record`, {
      code: "record-malformed",
      hint: "compare it with the revision before; records are never changed in place",
      cause: parsed.error,
    });
  }
  return parsed.data;
};

/** Only this program writes records: a key or a choice that is not known here is a newer version's. */
const newsIn = (issue: z.core.$ZodIssue): string[] => {
  const place = issue.path.join(".");
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => [...issue.path, key].join("."));
    case "invalid_value":
      return [place];
    case "invalid_union":
      return [place, ...issue.errors.flat().flatMap(newsIn)].slice(0, 1);
    default:
      return [];
  }
};
