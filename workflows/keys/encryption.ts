/** A project's data keys, as its record holds them. */
import * as z from "zod";
import { KeyId } from "../ids.ts";

/** A data key that only the holder of the wrapping key can use: docs/format.md, "Keys". */
export const WrappedKey = z.strictObject({ id: KeyId, wrappedBy: KeyId, box: z.base64() });
export type WrappedKey = z.infer<typeof WrappedKey>;

/**
 * New data are sealed with the current key (null: with none, sealing was ended); the others are for what
 * was sealed before.
 */
export const Encryption = z.strictObject({
  current: KeyId.nullable(),
  keys: z.array(WrappedKey).min(1),
});
export type Encryption = z.infer<typeof Encryption>;
