/**
 * A process that does one operation of the engine and kills itself before the n-th step: each call to
 * the store, and each system call that changes something, is one. SIGKILL runs no handler and no finally.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { linuxFileSystem } from "../../adapters/linux.ts";
import type { FileSystem } from "../../volume/file-system.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { PREFIX, VictimRequest } from "./victim-request.ts";

const request = VictimRequest.parse(JSON.parse(process.argv[2] ?? ""));
let steps = 0;
const step = (): void => {
  if (steps === request.killAt) process.kill(process.pid, "SIGKILL");
  steps += 1;
};

/** These functions, each a step. */
const stepping = <T extends object>(functions: T, names: readonly (keyof T)[]): Partial<T> =>
  Object.fromEntries(
    names.map((name) => {
      const original = functions[name] as (...call: unknown[]) => unknown;
      const call = (...args: unknown[]): unknown => {
        step();
        return original(...args);
      };
      return [name, call];
    }),
  ) as Partial<T>;

const counted = <T extends object>(functions: T, names: readonly (keyof T)[]): T => ({
  ...functions,
  ...stepping(functions, names),
});

const CHANGING = [
  "openSync",
  "writeSync",
  "renameSync",
  "mkdirSync",
  "rmSync",
  "unlinkSync",
  "fsyncSync",
  "ftruncateSync",
  "fchownSync",
  "fchmodSync",
  "lchownSync",
  "chmodSync",
  "linkSync",
  "symlinkSync",
  "copyFileSync",
] as const;

const { openDirectoryObjectStore } = await import("../../adapters/directory-object-store.ts");
const { collectGarbage } = await import("../../volume/collect.ts");
const { hydrate } = await import("../../volume/hydrate/hydrate.ts");
const { writeSnapshot } = await import("../../volume/write-snapshot.ts");

// Named imports of a builtin follow its properties once they are synchronised.
Object.assign(fs, stepping(fs, CHANGING));
syncBuiltinESMExports();
const store: ObjectStore = counted(openDirectoryObjectStore({ directory: request.store }), [
  "put",
  "get",
  "list",
  "delete",
]);
const fileSystem: FileSystem = counted(linuxFileSystem, [
  "setXattr",
  "removeXattr",
  "setTimes",
  "makeFifo",
  "syncFileSystem",
  "cloneFile",
  "punchHole",
]);

const { operation, snapshotId, parent, copy } = request;
const { signal } = new AbortController();
const indexFile = `${copy}/index`;
const common = {
  store,
  prefix: PREFIX,
  snapshotId,
  directory: `${copy}/data`,
  indexFile,
  fileSystem,
};
if (operation === "snapshot") {
  const attempt = `attempt-${snapshotId}`;
  const options = { ...common, parentIndexFile: indexFile, epoch: 1, attempt, parent };
  await writeSnapshot(options, signal);
}
if (operation === "hydrate") await hydrate({ ...common, base: null }, signal);
if (operation === "collect") {
  const ended = { endedAttempts: new Set<string>(), currentEpoch: 2, dryRun: false };
  await collectGarbage({ store, prefix: PREFIX, roots: [snapshotId], ...ended }, signal);
}
console.log(steps);
