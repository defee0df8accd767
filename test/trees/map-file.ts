/** Writes through shared mappings, as databases do: no write call, and no sync ever. */
import { closeSync, openSync } from "node:fs";
import koffi from "koffi";

/** mmap(2), munmap(2) */
const libc = koffi.load("libc.so.6");
const mmap = libc.func(
  "void *mmap(void *address, size_t length, int protection, int flags, int fd, int64 offset)",
);
const munmap = libc.func("int munmap(void *address, size_t length)");
const READ_WRITE = 0x3;
const MAP_SHARED = 0x1;

export interface MappedFile {
  write(offset: number, byte: number): void;
  /** The mapping goes; its dirty pages stay with the kernel. */
  end(): void;
}

/** The file must not become shorter while it is mapped: the process would not survive a write. */
export const mapFile = (path: string | Buffer, bytes: number): MappedFile => {
  const fd = openSync(path, "r+");
  const address = mmap(null, bytes, READ_WRITE, MAP_SHARED, fd, 0);
  closeSync(fd);
  const view = Buffer.from(koffi.view(address, bytes));
  return {
    write: (offset, byte) => {
      view[offset] = byte;
    },
    end: () => {
      munmap(address, bytes);
    },
  };
};
