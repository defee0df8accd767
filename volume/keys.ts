/** Object keys of one volume, below the volume's prefix. Keys are never reused. */

export const snapshotKey = (prefix: string, snapshotId: string): string =>
  `${prefix}/snapshots/${snapshotId}`;

/** Everything one attempt writes stands together, so that an abandoned attempt is easy to collect. */
export const attemptPrefix = (epoch: number, attempt: string): string => `e${epoch}/${attempt}`;

export const packName = (epoch: number, attempt: string, index: number): string =>
  `${attemptPrefix(epoch, attempt)}/p-${index}`;

export const segmentName = (epoch: number, attempt: string, index: number): string =>
  `${attemptPrefix(epoch, attempt)}/t-${index}`;

/** Packs and segments are named relative to the volume in all that refers to them. */
export const objectKey = (prefix: string, name: string): string => `${prefix}/${name}`;

const NAME = /^e(\d+)\/([0-9a-z.-]{1,100})\/([pt])-\d{1,9}$/;

/** Epoch and attempt of a pack or segment name, or null for a name of another form. */
export const parseObjectName = (
  name: string,
): { readonly epoch: number; readonly attempt: string } | null => {
  const match = NAME.exec(name);
  return match === null ? null : { epoch: Number(match[1]), attempt: match[2] ?? "" };
};
