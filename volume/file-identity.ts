/** What tells that a file is the same file, untouched: of an open file, packed, and compared. */
import { fstatSync } from "node:fs";

/** Times in nanoseconds. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly ctimeNs: bigint;
  readonly mtimeNs: bigint;
}

export interface OpenIdentity extends FileIdentity {
  readonly nlink: bigint;
  readonly isFile: boolean;
}

/** Of what is open, which may be of another kind than its name was when it was looked at. */
export const identityOf = (fd: number): OpenIdentity => {
  const stat = fstatSync(fd, { bigint: true });
  const { dev, ino, size, ctimeNs, mtimeNs, nlink } = stat;
  return { dev, ino, size, ctimeNs, mtimeNs, nlink, isFile: stat.isFile() };
};

export const IDENTITY_BYTES = 40;

export const packIdentity = (identity: FileIdentity, into: Buffer, at: number): void => {
  into.writeBigUInt64LE(identity.dev, at);
  into.writeBigUInt64LE(identity.ino, at + 8);
  into.writeBigUInt64LE(identity.size, at + 16);
  into.writeBigInt64LE(identity.ctimeNs, at + 24);
  into.writeBigInt64LE(identity.mtimeNs, at + 32);
};

export const encodeIdentity = (identity: FileIdentity): Buffer => {
  const bytes = Buffer.allocUnsafe(IDENTITY_BYTES);
  packIdentity(identity, bytes, 0);
  return bytes;
};

/** Read where it stands, and only when somebody looks: of most files nobody does. */
export class PackedIdentity implements FileIdentity {
  protected readonly bytes: Buffer;
  protected readonly at: number;
  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }
  get dev(): bigint {
    return this.bytes.readBigUInt64LE(this.at);
  }
  get ino(): bigint {
    return this.bytes.readBigUInt64LE(this.at + 8);
  }
  get size(): bigint {
    return this.bytes.readBigUInt64LE(this.at + 16);
  }
  get ctimeNs(): bigint {
    return this.bytes.readBigInt64LE(this.at + 24);
  }
  get mtimeNs(): bigint {
    return this.bytes.readBigInt64LE(this.at + 32);
  }
  equals({ bytes, at }: PackedIdentity): boolean {
    const [end, ownEnd] = [at + IDENTITY_BYTES, this.at + IDENTITY_BYTES];
    return this.bytes.compare(bytes, at, end, this.at, ownEnd) === 0;
  }
}

export const sameIdentity = (a: FileIdentity, b: FileIdentity): boolean => {
  if (a instanceof PackedIdentity && b instanceof PackedIdentity) return a.equals(b);
  return (
    a.dev === b.dev &&
    a.ino === b.ino &&
    a.size === b.size &&
    a.ctimeNs === b.ctimeNs &&
    a.mtimeNs === b.mtimeNs
  );
};
