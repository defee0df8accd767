/** Object keys of one volume, below the volume's prefix. Keys are never reused. */

export const snapshotKey = (prefix: string, snapshotId: string): string =>
  `${prefix}/snapshots/${snapshotId}`;

/** Everything one attempt writes stands together, so that an abandoned attempt is easy to collect. */
export const attemptPrefix = (epoch: number, attempt: string): string => `e${epoch}/${attempt}`;

export const packName = (epoch: number, attempt: string, index: number): string =>
  `${attemptPrefix(epoch, attempt)}/p-${index}`;

export const segmentName = (epoch: number, attempt: string, index: number): string =>
  `${attemptPrefix(epoch, attempt)}/t-${index}`;

/**
 * Packs and segments are named relative to the volume in all that refers to them; one that stands in
 * another volume, because this one began as its clone, by `/` and its whole key.
 */
export const objectKey = (prefix: string, name: string): string =>
  isForeign(name) ? name.slice(1) : `${prefix}/${name}`;

/** Whether the name is of an object in another volume. */
export const isForeign = (name: string): boolean => name.startsWith("/");

/** How any other volume names the object. */
export const foreignName = (prefix: string, name: string): string => `/${objectKey(prefix, name)}`;

/** What the name, written in the segment, is for whoever reads the segment by the segment's name. */
export const nameWithin = (segment: string, name: string): string =>
  isForeign(segment) && !isForeign(name) ? `/${prefixOf(segment)}/${name}` : name;

const prefixOf = (foreign: string): string => foreign.slice(1).split("/").slice(0, -3).join("/");

const NAME =
  /^(?:(?:\/(?!\.{1,2}\/)[0-9A-Za-z_.-]+)+\/)?e(\d+)\/([0-9a-z.-]{1,100})\/([pt])-\d{1,9}$/;

/** Epoch and attempt of a pack or segment name, or null for a name of another form. */
export const parseObjectName = (
  name: string,
): { readonly epoch: number; readonly attempt: string } | null => {
  const match = NAME.exec(name);
  return match === null ? null : { epoch: Number(match[1]), attempt: match[2] ?? "" };
};
