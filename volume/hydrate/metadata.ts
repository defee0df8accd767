/** Metadata of a placed object: owner first (it clears setuid), mode, attributes, times last. */
import type { Entry } from "../entry.ts";
import type { FileSystem, FileTarget } from "../file-system.ts";

/** Makes the object's attributes those of the entry. Attributes that are not in it are removed. */
export const applyXattrs = (
  at: FileTarget,
  entry: Pick<Entry, "xattrs">,
  fileSystem: FileSystem,
): void => {
  const wanted = new Map(entry.xattrs.map(({ name, value }) => [name, value]));
  for (const { name, value } of fileSystem.listXattrs(at)) {
    const target = wanted.get(name);
    if (target === undefined) fileSystem.removeXattr(at, name);
    else if (target.equals(value)) wanted.delete(name);
  }
  for (const [name, value] of wanted) fileSystem.setXattr(at, name, value);
};
