/**
 * fanotify(7) pre-content events (Linux 6.14 and later) through koffi: whoever touches a range of a
 * marked file waits until the event is answered. Layouts from linux/fanotify.h.
 */
import { closeSync, read, writeSync } from "node:fs";
import { promisify } from "node:util";
import koffi from "koffi";

const libc = koffi.load("libc.so.6");
/** fanotify_init(2), fanotify_mark(2) */
const fanotifyInit = libc.func("int fanotify_init(uint flags, uint event_f_flags)");
const fanotifyMark = libc.func(
  "int fanotify_mark(int fd, uint flags, uint64 mask, int dirfd, const char *path)",
);

const FAN_CLOEXEC = 0x1;
const FAN_CLASS_PRE_CONTENT = 0x8;
const FAN_UNLIMITED_QUEUE = 0x10;
const FAN_UNLIMITED_MARKS = 0x20;
const FAN_MARK_ADD = 0x1;
const FAN_MARK_REMOVE = 0x2;
const FAN_PRE_ACCESS = 0x100000n;
const FAN_ALLOW = 1;
const FAN_DENY = 2;
const AT_FDCWD = -100;
const O_RDWR = 0x2;
const O_LARGEFILE = 0x8000;

/** struct fanotify_event_metadata, then struct fanotify_event_info_range. */
const AT_METADATA_BYTES = 6;
const AT_FD = 16;
const AT_PID = 20;
const RANGE_AT_OFFSET = 8;
const RANGE_AT_COUNT = 16;
const EVENTS_BYTES = 64 * 1_024;

const readAsync = promisify(read);

export interface AccessEvent {
  /** Of the file, for reading and writing; what is done through it raises no event. */
  readonly fd: number;
  readonly pid: number;
  readonly offset: number;
  readonly length: number;
}

export interface Watch {
  add(path: string): void;
  remove(path: string): void;
  /** Never ends; several events at once. */
  events(): AsyncGenerator<readonly AccessEvent[]>;
  /** Lets whoever waits go on, or fail with EPERM. */
  answer(event: AccessEvent, isAllowed: boolean): void;
}

export const openWatch = (): Watch => {
  const flags = FAN_CLOEXEC | FAN_CLASS_PRE_CONTENT | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS;
  const group = fanotifyInit(flags, O_RDWR | O_LARGEFILE);
  if (group < 0) throw new Error(`fanotify_init: errno ${koffi.errno()}`);
  const mark = (how: number, path: string): void => {
    if (fanotifyMark(group, how, FAN_PRE_ACCESS, AT_FDCWD, path) === 0) return;
    throw new Error(`fanotify_mark ${path}: errno ${koffi.errno()}`);
  };
  return {
    add: (path) => mark(FAN_MARK_ADD, path),
    remove: (path) => mark(FAN_MARK_REMOVE, path),
    events: async function* () {
      const buffer = Buffer.alloc(EVENTS_BYTES);
      for (;;) {
        const { bytesRead } = await readAsync(group, buffer, 0, buffer.length, null);
        yield parseEvents(buffer.subarray(0, bytesRead));
      }
    },
    answer: ({ fd }, isAllowed) => {
      const response = Buffer.alloc(8);
      response.writeInt32LE(fd, 0);
      response.writeUInt32LE(isAllowed ? FAN_ALLOW : FAN_DENY, 4);
      writeSync(group, response);
      closeSync(fd);
    },
  };
};

const parseEvents = (bytes: Buffer): AccessEvent[] => {
  const events: AccessEvent[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at)) {
    const range = at + bytes.readUInt16LE(at + AT_METADATA_BYTES);
    events.push({
      fd: bytes.readInt32LE(at + AT_FD),
      pid: bytes.readInt32LE(at + AT_PID),
      offset: Number(bytes.readBigUInt64LE(range + RANGE_AT_OFFSET)),
      length: Number(bytes.readBigUInt64LE(range + RANGE_AT_COUNT)),
    });
  }
  return events;
};
