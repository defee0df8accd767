/**
 * A process's mounts (/proc/PID/mountinfo), and where a path as that process sees it lies in its
 * file system. Two paths in different mount namespaces are one file's when these places are equal.
 * Pure. Format: https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
 */

export interface Mount {
  /** `major:minor`, the identity of the file system. */
  readonly device: string;
  /** The directory of that file system which is mounted; `/` for all of it. */
  readonly root: string;
  readonly mountPoint: string;
}

export interface Place {
  readonly device: string;
  /** From the root of the file system. */
  readonly path: string;
}

export const parseMountTable = (text: string): Mount[] =>
  text.split("\n").flatMap((line) => {
    const [, , device, root, mountPoint] = line.split(" ");
    return device === undefined || root === undefined || mountPoint === undefined
      ? []
      : [{ device, root: unescapeOctal(root), mountPoint: unescapeOctal(mountPoint) }];
  });

/** The kernel writes space, tab, newline and backslash as three octal digits. */
const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );

/** Null for what is on no mount of the table: sockets, pipes, another namespace's leftovers. */
export const placeOf = (mounts: readonly Mount[], path: string): Place | null => {
  let best: Mount | null = null;
  for (const mount of mounts) {
    // Of mounts on one point, the later covers the earlier.
    const isNearer = best === null || mount.mountPoint.length >= best.mountPoint.length;
    if (isNearer && isWithin(path, mount.mountPoint)) best = mount;
  }
  if (best === null) return null;
  const below = best.mountPoint === "/" ? path : path.slice(best.mountPoint.length);
  const joined = best.root === "/" ? below : `${best.root}${below}`;
  return { device: best.device, path: joined === "" ? "/" : joined.replace(/(.)\/+$/, "$1") };
};

export const isPlaceWithin = (place: Place, directory: Place): boolean =>
  place.device === directory.device && isWithin(place.path, directory.path);

const isWithin = (path: string, directory: string): boolean =>
  path === directory ||
  (directory === "/" && path.startsWith("/")) ||
  path.startsWith(`${directory}/`);
