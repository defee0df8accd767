/** What the exit codes mean; documented in the README and in `bagage --help`. */
export const EXIT = {
  ok: 0,
  /** The command did its work and the answer is no: a deploy failed, a check did not pass. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** There is no such project, deploy, node or volume. */
  notFound: 3,
  /** Refused, with a remedy: past the seal, a project of that name exists. */
  refused: 4,
  /** The store, the queue or Docker does not answer; the same call may succeed later. */
  unavailable: 69,
  /** A setting is wrong. */
  config: 78,
} as const;
