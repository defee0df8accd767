/** Reads into memory that is there already. */
import { readSync } from "node:fs";

/** Fills the room from the file's bytes at the offset; what the file no longer has is zeros. */
export const readExactly = (fd: number, room: Buffer, offset: number): void => {
  let done = 0;
  while (done < room.length) {
    const read = readSync(fd, room, done, room.length - done, offset + done);
    if (read === 0) break;
    done += read;
  }
  room.fill(0, done);
};
