/** Further names of files, each made as soon as its file is there. */
import { linkSync, lstatSync, rmSync } from "node:fs";
import type { HardlinkEntry } from "../entry.ts";
import type { FileSystem } from "../file-system.ts";
import { isGone } from "../scan/through-fd.ts";
import { refuseEntry } from "./budget.ts";
import { createAt } from "./create-at.ts";
import type { Place } from "./directory-stack.ts";
import type { NewFileTask } from "./new-file-task.ts";
import { withParentOf } from "./open-below.ts";

export interface Links {
  /** The file is still to be written. */
  expect(task: NewFileTask): void;
  /** The file is there. */
  arrived(task: NewFileTask): void;
  /** Makes the link, or keeps it until its file is there. */
  place(entry: HardlinkEntry, place: Place): void;
  /** Makes the links that are kept so far; to be called when their files are there. */
  takeKept(): () => void;
}

interface KeptLink {
  readonly entry: HardlinkEntry;
  readonly place: Place;
  readonly task: NewFileTask;
  readonly release: () => void;
}

export const openLinks = (root: string, fileSystem: FileSystem): Links => {
  const expected = new Map<string, NewFileTask>();
  let kept: KeptLink[] = [];
  return {
    expect: (task) => {
      expected.set(task.entry.path.toString("latin1"), task);
    },
    arrived: ({ entry }) => {
      expected.delete(entry.path.toString("latin1"));
    },
    place: (entry, place) => {
      if (place.isThere) rmSync(place.at, { recursive: true });
      const task = expected.get(entry.target.toString("latin1"));
      if (task === undefined) linkTo(root, entry, place.at);
      else kept.push({ entry, place, task, release: place.hold() });
    },
    takeKept: () => {
      const due = kept;
      kept = [];
      return () => {
        for (const { entry, place, task, release } of due) {
          linkTo(root, entry, place.at);
          // A further name is a change of the file: its ctime is another now.
          task.identity = fileSystem.statAt(place.directoryFd, place.name);
          release();
        }
      };
    },
  };
};

const linkTo = (root: string, entry: HardlinkEntry, at: Buffer): void => {
  try {
    withParentOf(root, entry.target, (existing) => {
      if (!lstatSync(existing).isFile()) throw refuseEntry(entry.path, "links to what is no file");
      createAt(entry.path, () => linkSync(existing, at));
    });
  } catch (error) {
    throw isGone(error) ? refuseEntry(entry.path, "links to what is not in the snapshot") : error;
  }
};
