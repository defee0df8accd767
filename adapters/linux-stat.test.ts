import {
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { linuxFileSystem } from "./linux.ts";

test("statAt tells what Node's lstat tells", () => {
  const directory = mkdtempSync(join(tmpdir(), "bagage-stat-"));
  const fd = openSync(directory, "r");
  try {
    writeFileSync(join(directory, "file"), "12345", { mode: 0o640 });
    linkSync(join(directory, "file"), join(directory, "link"));
    mkdirSync(join(directory, "directory"));
    symlinkSync("nowhere", join(directory, "symlink"));
    linuxFileSystem.makeFifo(Buffer.from(join(directory, "fifo")), 0o620);
    linuxFileSystem.setTimes(Buffer.from(join(directory, "file")), -1_500_000_001n);
    for (const name of ["file", "link", "directory", "symlink", "fifo"]) {
      const { kind, mode, nlink, dev, ino, size, ctimeNs, mtimeNs } = linuxFileSystem.statAt(
        fd,
        Buffer.from(name),
      );
      const known = lstatSync(join(directory, name), { bigint: true });
      expect({ dev, ino, size, ctimeNs }).toEqual({
        dev: known.dev,
        ino: known.ino,
        size: known.size,
        ctimeNs: known.ctimeNs,
      });
      expect(kind).toBe(name === "link" ? "file" : name);
      expect(mode).toBe(Number(known.mode & 0o7777n));
      expect(nlink).toBe(Number(known.nlink));
      expect(mtimeNs).toBe(kind === "file" ? -1_500_000_001n : known.mtimeNs);
    }
    expect(() => linuxFileSystem.statAt(fd, Buffer.from("none"))).toThrow(
      expect.objectContaining({ code: "ENOENT" }),
    );
    expect(linuxFileSystem.statAt(openSync("/dev", "r"), Buffer.from("null")).kind).toBe(
      "character-device",
    );
  } finally {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  }
});
